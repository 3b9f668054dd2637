"""Draw pairs so that rare concepts come up more often, and count what the pool holds of each.

From "No Zero-Shot Without Exponential Data" (arXiv 2404.04125, section 2): how often a concept
occurs in captions, in images, and in both of one pair. The paper analyses pools and selects
nothing. Here a pair is drawn with replacement in proportion to the mean, over its concepts, of
frequency^(-temperature): temperature 0 draws all alike, 1 gives every concept the same share.

Departures from the paper:
- Lemmas are WordNet's (Morphy for nouns, irregular forms first), not spaCy's, and no tagger says
  which words are nouns; all words of a caption are looked up. lemmas=false compares words in lower
  case, as the paper's other search does.
- A concept of several words is in a caption that has all of them, in any order, as in the paper.
  Words such as "of" and "the" are not asked for, since no noun has that lemma; other words that
  occur nowhere are, where the authors' code leaves them out.
- Concepts in images: the paper takes the tags of RAM++ above a threshold (0.7). Here a concept is
  in an image if the cosine of the image with the concept's vector, both CLIP L/14's, reaches
  `min_similarity`, and the concept is among the ten nearest.
- The sampler and its cap are ours, after DataComp's sampling by text (see text_based_sampling).
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.filtering import Filter, PartView, Selection, View, keep_unless, runtime_field
from datacomp.filtering.contract import Step
from datacomp_filters.classes import Classes
from datacomp_filters.concept_steps import (
    IN_CAPTION,
    IN_IMAGE,
    IN_IMAGE_SIMILARITY,
    MOST_TAGS,
    CaptionConcepts,
    ImageConcepts,
)
from datacomp_filters.draws import Rows, draw
from datacomp_filters.lists import flat
from datacomp_filters.paths import anchor_paths
from datacomp_filters.text_based_sampling import demand_counts, drawing_rule

Search = Literal["text", "image", "joint"]


@dataclass(frozen=True)
class Hits:
    """Concept `concept[i]` is in row `row[i]`; sorted by row, then concept, each pair once."""

    row: npt.NDArray[np.int64]
    concept: npt.NDArray[np.int64]

    def weights(self, of_concept: npt.NDArray[np.float64], n_rows: int) -> npt.NDArray[np.float64]:
        """For each row the mean over its concepts of `of_concept`; 0 without any."""
        total = np.bincount(self.row, of_concept[self.concept], n_rows)
        return total / np.maximum(np.bincount(self.row, minlength=n_rows), 1)


@dataclass(frozen=True)
class ConceptCounts:
    """In how many pairs each concept is; `counts` (int64, a concept each) by search."""

    names: tuple[str, ...]
    rows: int
    counts: Mapping[Search, npt.NDArray[np.int64]]

    def records(self) -> list[dict[str, str | int]]:
        """A dict a concept: its name, and its count by each search."""
        columns = {search: counts.tolist() for search, counts in self.counts.items()}
        return [
            {"concept": name, **{search: column[i] for search, column in columns.items()}}
            for i, name in enumerate(self.names)
        ]

    def to_csv(self) -> str:
        """As CSV with a line of names."""
        text = io.StringIO()
        writer = csv.DictWriter(text, ["concept", *self.counts], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records())
        return text.getvalue()


@dataclass(frozen=True, kw_only=True)
class ConceptFrequency(Filter):
    """`concepts` (a file of names) or `target` (a labelled pool) says which concepts; see above."""

    name = "concept_frequency"
    summary = "Draw pairs by the rarity of the concepts that they show."
    example = "target=pools/trusted temperature=0.5"
    reference = "arXiv 2404.04125"
    uses_eval_related_data = "train"

    search: Search = "text"
    temperature: float = 0.5
    lemmas: bool = True
    min_similarity: float | None = None
    draws: int | None = None
    max_repeats: int = 100
    seed: int = 0
    concepts: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)
    wordnet: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        demand_counts(self.draws, self.max_repeats)
        images = self.search != "text"
        Classes(self.concepts, self.target, self.embeddings).demand(self.name, "concepts", images)
        if images == (self.min_similarity is None):
            raise UsageError(
                "min_similarity says from which cosine on an image shows a concept: it goes with "
                "search=image and search=joint"
            )
        if not 0 <= self.temperature < np.inf:
            raise UsageError(f"temperature is 0 or more, got {self.temperature}")

    def columns(self) -> tuple[str, ...]:
        """None: what the steps make."""
        return ()

    def steps(self) -> tuple[Step, ...]:
        """The concepts in captions and images."""
        paths = {"names": self.concepts, "target": self.target}
        found: tuple[Step, ...] = ()
        if self.search != "image":
            wordnet = self.wordnet if self.lemmas else None
            found = (CaptionConcepts(lemmas=self.lemmas, wordnet=wordnet, **paths),)
        if self.search != "text":
            found = (*found, ImageConcepts(embeddings=self.embeddings, **paths))
        return found

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        words = "lemmas (WordNet 3.0)" if self.lemmas else "words in lower case"
        caption = f"the caption has all words of its name, compared as {words}"
        image = (
            f"the image's cosine with its vector is {self.min_similarity} or more, and it is among "
            f"the {MOST_TAGS} nearest"
        )
        where = {"text": caption, "image": image, "joint": f"{caption}, and {image}"}[self.search]
        return (
            f"no_concept: no concept is in the pair. It is if {where}.",
            f"A concept in n pairs scores n^(-{self.temperature}); a pair is drawn in proportion "
            "to the mean of its concepts' scores.",
            drawing_rule(self.draws, self.max_repeats, self.seed),
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Count the concepts, then draw."""
        n_concepts = len(Classes(self.concepts, self.target, self.embeddings).in_order())
        counts = _count(view, self.hits, n_concepts)
        # To the rarest concept's, which a high temperature would else bring below any float.
        rarest = counts.min(initial=view.n_rows, where=counts > 0)
        scores = (np.maximum(counts, 1) / max(rarest, 1)) ** -self.temperature

        def weighed() -> Iterator[Rows]:
            for rows in view.parts():
                yield rows.uids, self.hits(rows).weights(scores, rows.n_rows)

        times_drawn = draw(weighed, self.draws or view.n_rows, self.max_repeats, self.seed)
        for rows, copies in zip(view.parts(), times_drawn, strict=True):
            nothing = np.ones(rows.n_rows, bool)
            nothing[self.hits(rows).row] = False
            yield keep_unless(rows, {"no_concept": nothing, "not_drawn": copies == 0}, copies)

    def hits(self, rows: PartView, search: Search | None = None) -> Hits:
        """The concepts of a part's rows, by the filter's search or another that it can make."""
        search = search or self.search
        pairs = [
            find(rows)
            for find, wanted in ((self._in_caption, "text"), (self._in_image, "image"))
            if search in (wanted, "joint")
        ]
        keys = pairs[0]
        if len(pairs) == 2:
            keys = np.intersect1d(keys, pairs[1], assume_unique=True)
        return Hits(keys >> 32, keys & 0xFFFF_FFFF)

    def _in_caption(self, rows: PartView) -> npt.NDArray[np.int64]:
        return _keys(*flat(rows.column(IN_CAPTION)))

    def _in_image(self, rows: PartView) -> npt.NDArray[np.int64]:
        row, concept = flat(rows.column(IN_IMAGE))
        _, similarity = flat(rows.column(IN_IMAGE_SIMILARITY))
        shown = similarity >= np.float32(self.min_similarity or 0)
        return _keys(row[shown], concept[shown])


def count_concepts(chosen: ConceptFrequency, view: View) -> ConceptCounts:
    """The frequency report (the paper's section 2) on the view of `datacomp.filtering.run.scored`.

    By each search that the filter's steps allow; concepts that occur nowhere count 0.
    """
    names = Classes(chosen.concepts, chosen.target, chosen.embeddings).in_order()
    searches: tuple[Search, ...] = ("text", "image", "joint")
    counts = {
        search: _count(view, partial(chosen.hits, search=search), len(names))
        for search in (searches if chosen.search == "joint" else (chosen.search,))
    }
    return ConceptCounts(names, view.n_rows, counts)


def _count(view: View, hits: Callable[[PartView], Hits], n_concepts: int) -> npt.NDArray[np.int64]:
    """In how many rows each concept is."""
    counts = np.zeros(n_concepts, np.int64)
    for rows in view.parts():
        counts += np.bincount(hits(rows).concept, minlength=n_concepts)
    return counts


def _keys(row: npt.NDArray[np.int64], concept: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Row and concept in one number each, ascending."""
    return np.sort((row << 32) | concept.astype(np.int64))
