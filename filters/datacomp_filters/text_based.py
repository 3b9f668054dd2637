"""Keep English captions that name a class of ImageNet-21k (DataComp, Table 3, "Text-based").

A word names what its first WordNet sense means. Two things of the original are defects, repeated
under `compat="datacomp"` only: punctuation at a word hides it ("dog," is no dog), and a sense is
compared by its offset alone, so that a verb whose number some noun happens to have counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError
from datacomp.filtering import (
    Arrays,
    Asset,
    Bench,
    Filter,
    Fit,
    PartView,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp.filtering.assets import find_assets
from datacomp_filters.captions import Mask, equals, is_null
from datacomp_filters.language import LANGUAGE, FastTextLanguage, model_name
from datacomp_filters.paths import anchor_paths
from datacomp_filters.senses import FIRST_SENSES, WordNetSenses
from datacomp_filters.wordnet import POS_STEP

_IDS = "offsets"


@dataclass(frozen=True, kw_only=True)
class WordNetIds(Fit):
    """The noun offsets of a file of WordNet ids, one `n01440764` a line, sorted."""

    name = "wordnet_ids"

    ids: str | None = runtime_field(default=None)

    def assets(self) -> tuple[Asset, ...]:
        """The file of ids."""
        return find_assets("imagenet21k_wordnet_ids", self.ids, "ids")

    def fit(self, view: View, bench: Bench) -> Arrays:
        """`offsets`: int32."""
        (asset,) = self.assets()
        lines = asset.path.read_text().split()
        try:
            offsets = [int(line[1:]) for line in lines]
        except ValueError as error:
            raise FilterError(
                f"{asset.path} is no list of WordNet ids such as n01440764: {error}"
            ) from None
        return {_IDS: np.unique(np.array(offsets, np.int32))}


@dataclass(frozen=True)
class Entities:
    """The senses of some captions that are entities: `code` of caption `row` (sorted by row)."""

    row: npt.NDArray[np.int64]
    code: npt.NDArray[np.int32]

    def mask(self, n_rows: int) -> Mask:
        """Which captions have one."""
        found = np.zeros(n_rows, bool)
        found[self.row] = True
        return found


@dataclass(frozen=True, kw_only=True)
class TextBased(Filter):
    """English by fastText, and at least one word whose first sense is among the ids."""

    name = "text_based"
    summary = "Keep English captions that name a class of ImageNet-21k."
    reference = "arXiv 2304.14108"

    compat: Literal["datacomp"] | None = None
    language_model: str | None = runtime_field(default=None)
    wordnet: str | None = runtime_field(default=None)
    ids: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def steps(self) -> tuple[RowStep, ...]:
        """The language, and the senses of the words."""
        return (
            FastTextLanguage(model=self.language_model),
            WordNetSenses(strip_punctuation=self.compat is None, wordnet=self.wordnet),
        )

    def fits(self) -> tuple[Fit, ...]:
        """The ids."""
        return (WordNetIds(ids=self.ids),)

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        if self.compat is None:
            how = (
                "punctuation around a word is dropped where WordNet lacks the word with it; only a "
                "noun's sense counts. DataComp keeps punctuation, and compares any part of "
                "speech by its number: compat=datacomp."
            )
        else:
            how = (
                "compat=datacomp: words as they stand, with punctuation; a sense of any part of "
                "speech counts if its offset is a class's."
            )
        return (
            "null_caption: there is no caption.",
            f"not_english: fastText's first label is not 'en'; model "
            f"{model_name(self.language_model)}.",
            "no_entity: no word between white space whose first sense in WordNet 3.0 (nouns "
            "first; base forms as in NLTK 3.8.1) is a class of ImageNet-21k.",
            how,
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Judge part by part."""
        (ids,) = self.fits()
        wanted = view.arrays(ids)[_IDS]
        for rows in view.parts():
            yield keep_unless(rows, self.reasons(rows, self.entities(rows, wanted)))

    def reasons(self, rows: PartView, found: Entities) -> dict[str, Mask]:
        """Why a row would be dropped."""
        return {
            "null_caption": is_null(rows.column("text")),
            "not_english": ~equals(rows.column(LANGUAGE), "en"),
            "no_entity": ~found.mask(rows.n_rows),
        }

    def entities(self, rows: PartView, wanted: npt.NDArray[np.int32]) -> Entities:
        """The senses in the captions that the sorted ids have."""
        lists = rows.column(FIRST_SENSES).combine_chunks()
        lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        codes = lists.flatten().to_numpy()
        row = np.repeat(np.arange(len(lengths)), lengths)
        is_class = _among(codes if self.compat is None else codes % POS_STEP, wanted)
        return Entities(row[is_class], codes[is_class])


def _among(codes: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]) -> Mask:
    """Whether each code is among the sorted ids."""
    if not len(wanted):
        return np.zeros(len(codes), bool)
    place = np.minimum(np.searchsorted(wanted, codes), len(wanted) - 1)
    return np.asarray(wanted[place] == codes)
