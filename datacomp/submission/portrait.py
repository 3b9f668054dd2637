"""The portrait of a subset beside its pool: one pass over the metadata, no picture is read.

Memory holds a batch of rows and counts; a subset file is mapped, not loaded. Of a large pool whole
parts are read in an order that the pool's id alone draws, until there are `MOST_ROWS` rows: so the
portraits of all subsets of a pool are over the same rows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datacomp.errors import SubsetError
from datacomp.pool import Part, Pool
from datacomp.progress import NoProgress, Progress
from datacomp.submission.portrait_counts import COLUMNS, Languages, Tally
from datacomp.submission.profile import REPEATS, Portrait
from datacomp.subset import UidArray
from datacomp.subset.blocks import READ_AT_ONCE, SubsetFile
from datacomp.subset.uids import parse_uids, search_uids, starts_of_runs

MOST_ROWS = 2_000_000
"""Parts are read until there are so many rows."""
_BATCH = 65_536

Ints = npt.NDArray[np.int64]


def portray(
    pool: Pool,
    subset: Path,
    *,
    scores: Path | None = None,
    progress: Progress | None = None,
    most_rows: int = MOST_ROWS,
) -> Portrait:
    """The portrait of a subset file of `pool`.

    `scores` is a score store; languages are taken from there if it has them of every part that is
    read. `progress` advances by rows. `PoolError`, or `SubsetError`, if one of them cannot be read.
    """
    progress = progress or NoProgress()
    kept = _Kept.of(subset)
    manifest = pool.require_manifest()
    parts = _drawn(pool, manifest.pool_id, most_rows)
    languages = Languages.of(scores, parts)
    tally = Tally.of(pool, kept.sha256)
    for part in parts:
        columns = [name for name in COLUMNS if name in part.columns]
        codes = languages.of_part(part) if languages else None
        start = 0
        for batch in pool.batches(part, columns, _BATCH):
            uids = parse_uids(batch.column("uid"))
            times = kept.times(uids)
            tally.add(batch, uids, times)
            if languages and codes is not None:
                languages.count(codes.slice(start, len(times)), times)
            start += len(times)
            progress.advance(len(times))
    if len(parts) == len(pool.parts) and tally.kept != kept.n:
        raise SubsetError(
            f"{subset} is not of the pool {pool.url}: {kept.n - tally.kept:,} of its {kept.n:,} "
            "entries are not there"
        )
    return Portrait(
        pool_id=manifest.pool_id,
        pool_rows=pool.n_rows,
        subset_sha256=kept.sha256,
        n=kept.n,
        n_unique=kept.n_unique,
        parts=len(pool.parts),
        parts_read=len(parts),
        rows_read=tally.rows,
        kept_read=tally.kept,
        histograms=tally.histograms(),
        languages=languages.table() if languages else None,
        repeats=kept.repeats,
        kept_captions=tally.captions_kept.texts(),
        dropped_captions=tally.captions_dropped.texts(),
    )


def rows_to_read(pool: Pool, most_rows: int = MOST_ROWS) -> int:
    """How many rows `portray` will read."""
    return sum(part.n_rows for part in _drawn(pool, pool.require_manifest().pool_id, most_rows))


def _drawn(pool: Pool, pool_id: str, most_rows: int) -> list[Part]:
    """Whole parts in an order drawn by the pool's id, as many as make `most_rows`."""
    order = sorted(pool.parts, key=lambda part: _digest(f"{pool_id} {part.name}"))
    chosen, rows = [], 0
    for part in order:
        if rows >= most_rows:
            break
        chosen.append(part)
        rows += part.n_rows
    return sorted(chosen, key=lambda part: part.name)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True)
class _Kept:
    """A subset file, mapped into memory, and what one pass over it told."""

    uids: UidArray
    sha256: str
    n: int
    n_unique: int
    repeats: tuple[int, ...]
    most: int

    @classmethod
    def of(cls, path: Path) -> "_Kept":
        file = SubsetFile(path)
        found, most, n_unique = np.zeros(len(REPEATS), np.int64), 0, 0
        for lengths in _run_lengths(file):
            bins = np.searchsorted(REPEATS, lengths, "right") - 1
            found += np.bincount(bins, minlength=len(REPEATS))
            most, n_unique = max(most, int(lengths.max(initial=0))), n_unique + len(lengths)
        uids = np.load(path, mmap_mode="r", allow_pickle=False)
        return cls(uids, file.sha256, file.n, n_unique, tuple(found.tolist()), most)

    def times(self, uids: UidArray) -> Ints:
        """How often each uid stands in the subset."""
        places = search_uids(self.uids, uids)
        times = np.zeros(len(uids), np.int64)
        (inside,) = np.nonzero(places >= 0)
        first, wanted = places[inside], uids[inside]
        runs = np.zeros(len(inside), np.int64)
        step = 1 << max(self.most.bit_length() - 1, 0)
        while step:  # the length of each run, bit by bit
            last = first + runs + step - 1
            fits = last < self.n
            fits[fits] = self.uids[last[fits]] == wanted[fits]
            runs[fits] += step
            step >>= 1
        times[inside] = runs
        return times


def _run_lengths(file: SubsetFile) -> Iterator[Ints]:
    """How often each uid of a subset file stands in it, block by block."""
    open_run, last = 0, None
    for block in file.blocks(READ_AT_ONCE):
        starts = np.flatnonzero(starts_of_runs(block))
        lengths = np.diff(starts, append=len(block))
        if last is not None and block[0].item() == last:
            lengths[0] += open_run
        elif last is not None:
            yield np.array([open_run])
        open_run, last = int(lengths[-1]), block[-1].item()
        yield lengths[:-1]
    if last is not None:
        yield np.array([open_run])
