"""The first WordNet senses of every caption's words: a column that the text-based methods share."""

from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.filtering import Asset, Host, RowFunction, RowStep, runtime_field
from datacomp.filtering.assets import find_assets, folders
from datacomp_filters.wordnet import NO_SENSE, FirstSenses, load_wordnet, wordnet_sha256

FIRST_SENSES = "first_senses"


@dataclass(frozen=True)
class _Dictionary(Asset):
    """WordNet by the content of the files that are read, be it a folder or a zip."""

    def sha256(self) -> str:
        """One hash of all these files."""
        return wordnet_sha256(self.path)


@dataclass(frozen=True, kw_only=True)
class WordNetSenses(RowStep):
    """For each caption, the codes of its words' first senses (see wordnet.py); null for no caption.

    Every code once, in the order in which the caption has them. Words stand between Unicode white
    space; with `strip_punctuation`, one that WordNet lacks is tried again without the punctuation
    around it. `wordnet` is a path to a folder or zip of WordNet 3.0's files.
    """

    name = "wordnet_senses"
    rows_per_second = 400_000.0

    strip_punctuation: bool
    wordnet: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """A list of codes."""
        return pa.schema([(FIRST_SENSES, pa.list_(pa.int32()))])

    def assets(self) -> tuple[Asset, ...]:
        """The dictionary."""
        unpacked = [Path(self.wordnet).expanduser()] if self.wordnet else _unpacked()
        if unpacked and unpacked[0].is_dir():
            return (_Dictionary("wordnet", unpacked[0]),)
        (asset,) = find_assets("wordnet", self.wordnet, "wordnet")
        asset.sha256()
        return (_Dictionary("wordnet", asset.path),)

    def open(self, host: Host) -> RowFunction:
        """Read the dictionary."""
        (asset,) = self.assets()
        senses = FirstSenses(load_wordnet(asset.path), self.strip_punctuation)
        first = senses.__getitem__

        def of(caption: str) -> dict[int, None]:
            found = dict.fromkeys(map(first, caption.split()))
            found.pop(NO_SENSE, None)
            return found

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            captions = batch.column("text")
            found = [of(caption) if caption else {} for caption in captions.to_pylist()]
            counts: npt.NDArray[np.int32] = np.fromiter(map(len, found), np.int32, len(found))
            offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
            codes = np.fromiter(chain.from_iterable(found), np.int32, int(offsets[-1]))
            lists = pa.ListArray.from_arrays(
                pa.array(offsets), pa.array(codes), mask=captions.is_null()
            )
            return pa.record_batch([lists], names=[FIRST_SENSES])

        return compute


def _unpacked() -> list[Path]:
    """WordNet's files in a folder of that name, as NLTK leaves them, where assets are found."""
    return [folder / "wordnet" for folder in folders() if (folder / "wordnet").is_dir()]
