"""VAS-D: the rounds in which the second moment of a pool's images is re-estimated (vas.py)."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.files import atomic_open
from datacomp.filtering import Bench, PoolStep, View
from datacomp.subset import UID_DTYPE
from datacomp.subset.cuts import Chunk, find_cut
from datacomp.subset.selectors import share
from datacomp_filters.clip_score import ARCHITECTURES
from datacomp_filters.embeddings import BLOCK_ROWS, Mask, OfEncoder, Raw, Unit, unit_rows

SCORE = "vas"
LASTED = "vas_lasted"

_EMBEDDINGS, _CHECKPOINT = "candidates.npy", "rounds.npz"


@dataclass
class Moment:
    """The second moment of embeddings, added up in float64, block by block."""

    n_rows: int = 0
    _sum: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def add(self, raw: Raw) -> None:
        """Add embeddings of any length; rows without a direction do not count."""
        if not self._sum.size:
            self._sum = np.zeros((raw.shape[1], raw.shape[1]))
        for start in range(0, len(raw), BLOCK_ROWS):
            images, usable = unit_rows(raw[start : start + BLOCK_ROWS])
            wide = images.astype(np.float64)
            self._sum += wide.T @ wide
            self.n_rows += int(np.count_nonzero(usable))

    def mean(self) -> npt.NDArray[np.float64]:
        """The mean of f f', (d, d); zeros of no rows."""
        return self._sum / max(self.n_rows, 1)


def alignments(images: Unit, moment: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """f' S f for each image."""
    scores: npt.NDArray[np.float32] = np.einsum("ij,ij->i", images @ moment, images)
    return scores


@dataclass(frozen=True, kw_only=True)
class AlignmentRounds(OfEncoder, PoolStep):
    """All rounds of VAS-D but the last cut.

    `vas`: f' S f by the S of the last round, for every row of the pool that has a direction;
    `vas_lasted`: whether the row was still there in that round. The embeddings that pass the CLIP
    cut are kept in the bench's folder meanwhile (4 bytes a dimension), so that rounds read these
    alone; memory holds 9 bytes for each of their rows. A stopped run goes on with its last round.
    """

    name = "variance_alignment_rounds"
    tolerance = 1e-5
    rows_per_second = 5_000.0

    fraction: float
    clip_fraction: float
    rounds: int

    def columns(self) -> tuple[str, ...]:
        """The encoder's CLIP score."""
        return (ARCHITECTURES[self.encoder],)

    def outputs(self) -> pa.Schema:
        """The score, and who is left."""
        return pa.schema([(SCORE, pa.float32()), (LASTED, pa.bool_())])

    def compute(self, view: View, bench: Bench) -> Iterator[pa.RecordBatch]:
        """Gather, cut round after round, then score all rows by the last S."""
        candidates = _gather(self, view, bench.folder)
        kept, moment = self._rounds(candidates, share(view.n_rows, self.fraction), bench)
        places = candidates.places[kept]
        start = 0
        for rows in view.parts():
            images, usable = unit_rows(rows.feature(*self.features))
            lasted = np.zeros(rows.n_rows, bool)
            first, end = np.searchsorted(places, [start, start + rows.n_rows])
            lasted[places[first:end] - start] = True
            start += rows.n_rows
            scores = pa.array(alignments(images, moment), mask=~usable)
            yield pa.record_batch([scores, pa.array(lasted)], names=[SCORE, LASTED])
        candidates.remove()

    def _rounds(
        self, candidates: "_Candidates", target: int, bench: Bench
    ) -> tuple[Mask, npt.NDArray[np.float32]]:
        """The candidates that are there in the last round, and its S."""
        n = len(candidates.places)
        done, kept = _read_checkpoint(candidates)
        moment = candidates.moment(kept) if done else candidates.of_pool
        for number in range(done + 1, self.rounds):
            size = n - max(n - target, 0) * number // self.rounds
            if size < np.count_nonzero(kept):
                kept = candidates.best(kept, moment.astype(np.float32), size)
                moment = candidates.moment(kept)
                _write_checkpoint(candidates, number, kept)
            bench.tell(f"round {number:,} of {self.rounds:,}, {size:,} rows")
        return kept, moment.astype(np.float32)


@dataclass(frozen=True)
class _Candidates:
    """The rows that pass the CLIP cut: their embeddings (mapped), uids, places in the pool."""

    folder: Path
    images: Unit
    uids: npt.NDArray[Any]
    places: npt.NDArray[np.int64]
    of_pool: npt.NDArray[np.float64]

    def blocks(self, kept: Mask) -> Iterator[tuple[slice, Unit]]:
        for start in range(0, len(kept), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            yield block, self.images[block][kept[block]]

    def moment(self, kept: Mask) -> npt.NDArray[np.float64]:
        moment = Moment()
        for _, images in self.blocks(kept):
            moment.add(images)
        return moment.mean()

    def best(self, kept: Mask, moment: npt.NDArray[np.float32], size: int) -> Mask:
        scores = np.full(len(kept), np.nan, np.float32)
        for block, images in self.blocks(kept):
            scores[block][kept[block]] = alignments(images, moment)

        def scan() -> Iterator[Chunk]:
            for start in range(0, len(scores), BLOCK_ROWS):
                block = slice(start, start + BLOCK_ROWS)
                yield scores[block], partial(self.uids.__getitem__, block)

        cut = find_cut(scan, size)
        return np.concatenate([np.empty(0, bool), *(cut.keeps(*chunk) for chunk in scan())])

    def digest(self) -> str:
        """Of whose candidates a checkpoint is: the folder may have served another pool."""
        return hashlib.sha256(self.uids.tobytes() + self.of_pool.tobytes()).hexdigest()

    def remove(self) -> None:
        """Free the disk."""
        for name in (_EMBEDDINGS, _CHECKPOINT):
            (self.folder / name).unlink(missing_ok=True)


def _gather(step: AlignmentRounds, view: View, folder: Path) -> _Candidates:
    """One pass for the CLIP cut, one for the pool's own moment and the candidates."""
    (column,) = step.columns()
    n_most = share(view.n_rows, step.clip_fraction)
    cut = view.cut(lambda rows: rows.scores(column), n_most)
    moment, start, n = Moment(), 0, 0
    images: Any = np.empty((0, 0), np.float32)
    uids, places = np.empty(n_most, UID_DTYPE), np.empty(n_most, np.int64)
    for rows in view.parts():
        raw = rows.feature(*step.features)
        moment.add(raw)
        passed = np.flatnonzero(cut.keeps(rows.scores(column), partial(getattr, rows, "uids")))
        unit, usable = unit_rows(raw[passed])
        passed, unit = passed[usable], unit[usable]
        if len(passed):
            if not images.size:
                shape = (n_most, raw.shape[1])
                images = np.lib.format.open_memmap(folder / _EMBEDDINGS, "w+", np.float32, shape)
            here = slice(n, n + len(passed))
            images[here], uids[here], places[here] = unit, rows.uids[passed], passed + start
            n += len(passed)
        start += rows.n_rows
    return _Candidates(folder, images[:n], uids[:n], places[:n], moment.mean())


def _read_checkpoint(candidates: _Candidates) -> tuple[int, Mask]:
    """How many rounds are done, and who is left; no round, and all, without a checkpoint."""
    n, path = len(candidates.places), candidates.folder / _CHECKPOINT
    if path.is_file():
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["of"]) == candidates.digest():
                return int(saved["done"]), np.unpackbits(saved["kept"], count=n).astype(bool)
    return 0, np.ones(n, bool)


def _write_checkpoint(candidates: _Candidates, done: int, kept: Mask) -> None:
    facts = {"of": np.array(candidates.digest()), "done": np.array(done), "kept": np.packbits(kept)}
    with atomic_open(candidates.folder / _CHECKPOINT) as file:
        np.savez(file, allow_pickle=False, **facts)
