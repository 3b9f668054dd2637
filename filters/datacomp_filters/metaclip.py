"""Keep what is rare, draw from what is common: MetaCLIP's balancing (arXiv 2309.16671).

Captions are matched against metadata, a list of entries. An entry that stands in `count` captions
of the pool fires for each of them with probability min(1, t / count); a pair is kept if any of its
entries fires, and dropped if it has none. So an entry keeps about t pairs at most of its own.

An entry stands in a caption if `" entry "` is a substring of the caption, with a space at either
end, spaces around , . ; : ? ! ` and tabs and line ends as spaces: the published rule, exactly.

Departures from the paper:
- Its metadata are 500,000 entries: the first lemma of each WordNet synset (86,654), Wikipedia's
  unigrams that occur 100 times (251,465), bigrams of a mutual information of 30 (100,646), and
  titles by views (61,235). Wikipedia's part is made of dumps that cannot be shipped: give the
  published list as `metadata`. The default is every lemma of WordNet 3.0 (147,306), which stand in
  WordNet's index in lower case; captions are therefore compared in lower case. With a file of
  metadata, letters are compared as they are, as published (`ignore_case` says otherwise).
- `t` is 20,000 for the published 400M pairs and 170,000 for 2.5B, whatever the pool. Here the
  default is the rule by which the authors scaled it (arXiv 2507.22062, section 3.3): t is such that
  entries that occur less often than t hold 6% of all matches.
- Draws follow from seed, uid and entry, so that neither the order of rows nor the parts decide.
- Counts are over the rows that `select` sees: in a cascade, those that earlier filters left. The
  authors balance last, after all other filtering.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.errors import UsageError
from datacomp.filtering import (
    Asset,
    Filter,
    PartView,
    RowFunction,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp.filtering.assets import FoundAsset
from datacomp.filtering.contract import Host
from datacomp.subset.selectors import uid_draws
from datacomp_filters.captions import is_null
from datacomp_filters.lists import flat
from datacomp_filters.names import read_names
from datacomp_filters.paths import anchor_paths
from datacomp_filters.senses import WordNetSenses
from datacomp_filters.substrings import Entries
from datacomp_filters.wordnet import load_wordnet

TAIL = 0.06
"""Share of all matches that entries rarer than t hold (arXiv 2507.22062, section 3.3)."""

MARKS, SPACES = ",.;:?!`", " \t\n\r"
"""Marks that are put between spaces, and what is taken for a space."""

ENTRIES = "entries"


@dataclass(frozen=True, kw_only=True)
class MetadataEntries(RowStep):
    """The entries in each caption, by their places in the metadata; null for no caption.

    Every entry once. `metadata` is a file, one entry a line or a JSON list; without one, the
    entries are WordNet's lemmas in alphabetical order (`wordnet`: a folder or zip of its files).
    """

    name = "metadata_entries"
    rows_per_second = 500_000.0

    ignore_case: bool
    metadata: str | None = runtime_field(default=None)
    wordnet: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def outputs(self) -> pa.Schema:
        """A list of places."""
        return pa.schema([(ENTRIES, pa.list_(pa.int32()))])

    def assets(self) -> tuple[Asset, ...]:
        """The metadata, or the dictionary."""
        if self.metadata is None:
            return WordNetSenses(strip_punctuation=False, wordnet=self.wordnet).assets()
        return (FoundAsset("metadata", Path(self.metadata).expanduser()),)

    def entries(self) -> list[str]:
        """The entries, as they stand in the metadata."""
        (asset,) = self.assets()
        if self.metadata is not None:
            return read_names(asset.path, "metadata entries")
        lemmas = {lemma for senses in load_wordnet(asset.path).senses for lemma in senses}
        return sorted(lemma.replace("_", " ") for lemma in lemmas)

    def open(self, host: Host) -> RowFunction:
        """Make the table of entries."""
        entries = pa.array(self.entries(), pa.large_string())
        if self.ignore_case:
            entries = pc.utf8_lower(entries)
        table = Entries(entries.to_pylist(), MARKS, SPACES)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            captions = batch.column("text").cast(pa.large_string())
            if self.ignore_case:
                captions = pc.utf8_lower(captions)
            return pa.record_batch([table.find(captions)], names=[ENTRIES])

        return compute


@dataclass(frozen=True)
class Matches:
    """The entries of some rows: entry `entry[i]` stands in the caption of row `row[i]`."""

    row: npt.NDArray[np.int64]
    entry: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: PartView) -> "Matches":
        """Of a part."""
        return cls(*flat(rows.column(ENTRIES)))

    def rows_of(self, some: npt.NDArray[np.bool_], n_rows: int) -> npt.NDArray[np.bool_]:
        """Which rows have any of the matches for which `some` is True."""
        found = np.zeros(n_rows, bool)
        found[self.row[some]] = True
        return found


@dataclass(frozen=True, kw_only=True)
class MetaClip(Filter):
    """Balance what captions name; `t` or `tail` says from how many captions on an entry is cut."""

    name = "metaclip"
    summary = "Balance what captions name: all of the rare, a draw of the common."
    reference = "arXiv 2309.16671"

    t: int | None = None
    tail: float | None = None
    ignore_case: bool | None = None
    seed: int = 0
    metadata: str | None = runtime_field(default=None)
    wordnet: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        if self.t is not None and self.tail is not None:
            raise UsageError("metaclip takes one of t and tail, not both")
        if self.t is not None and self.t < 1:
            raise UsageError(f"t is a number of captions, 1 or more, got {self.t}")
        if self.tail is not None and not 0 <= self.tail <= 1:
            raise UsageError(f"tail is a share between 0 and 1, got {self.tail}")
        if self.metadata is not None and self.wordnet is not None:
            raise UsageError("metadata takes the place of WordNet; give one of the two")

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def steps(self) -> tuple[MetadataEntries]:
        """The entries in every caption."""
        ignore = self.metadata is None if self.ignore_case is None else self.ignore_case
        return (MetadataEntries(ignore_case=ignore, metadata=self.metadata, wordnet=self.wordnet),)

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        (step,) = self.steps()
        source = self.metadata or "the lemmas of WordNet 3.0 (the original's: metadata=FILE)"
        case = "in lower case" if step.ignore_case else "letters as they are"
        if self.t is not None:
            threshold = f"t = {self.t:,}"
        else:
            threshold = f"t such that entries rarer than t hold {self._tail():.1%} of all matches"
        return (
            "null_caption: there is no caption.",
            f"no_entry: no entry of the metadata stands in it as whole words, {case}: {source}.",
            "not_drawn: none of its entries fires. One that stands in n captions fires with "
            f"probability min(1, t / n); {threshold} (seed {self.seed}).",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Count the entries, then draw."""
        counts = count_entries(view)
        t = self.t if self.t is not None else tail_threshold(counts, self._tail())
        probability = t / np.maximum(counts.astype(np.float64), t)
        for rows in view.parts():
            matches = Matches.of(rows)
            fires = draws(rows, matches, self.seed) < probability[matches.entry]
            yield keep_unless(
                rows,
                {
                    "null_caption": is_null(rows.column("text")),
                    "no_entry": ~matches.rows_of(np.ones(len(fires), bool), rows.n_rows),
                    "not_drawn": ~matches.rows_of(fires, rows.n_rows),
                },
            )

    def _tail(self) -> float:
        return TAIL if self.tail is None else self.tail


def count_entries(view: View) -> npt.NDArray[np.int64]:
    """In how many captions of the pool each entry stands, up to the last that stands in any."""
    counts = np.zeros(0, np.int64)
    for rows in view.parts():
        more = np.bincount(Matches.of(rows).entry, minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    return counts


def tail_threshold(counts: npt.NDArray[np.int64], tail: float) -> int:
    """The highest t, if any above 1, such that entries with counts below t hold at most `tail`.

    That is, of the sum of all counts. 1 if nothing was counted.
    """
    ordered = np.sort(counts[counts > 0])
    if not len(ordered):
        return 1
    held = np.cumsum(ordered) <= tail * int(ordered.sum())
    return int(ordered[min(int(held.sum()), len(ordered) - 1)])


def draws(rows: PartView, matches: Matches, seed: int) -> npt.NDArray[np.float64]:
    """A number from [0, 1) for every match, from the seed, the row's uid and the entry alone."""
    digest = hashlib.blake2b(f"metaclip {seed}".encode(), digest_size=8).digest()
    stream = int.from_bytes(digest, "little")
    bits = uid_draws(rows.uids[matches.row], stream, matches.entry.astype(np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
