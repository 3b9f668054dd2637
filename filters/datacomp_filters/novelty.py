"""How near each image is to those that stand before it in its cluster, in bounded memory."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.files import write_json
from datacomp.filtering import Bench, PartView, PoolStep, View, runtime_field
from datacomp.subset import UidArray
from datacomp_filters.cosines import cosines
from datacomp_filters.embeddings import OfEncoder, Raw
from datacomp_filters.kmeans import CLUSTER, ITERATIONS, SIMILARITY, NearestCentroid
from datacomp_filters.nearest import NONE

NOVELTY = "novelty"

_RESULT, _PROGRESS = "novelty.npy", "progress.json"
_GB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Novelty(OfEncoder, PoolStep):
    """1 - the highest cosine with an image before it in its cluster; null without a direction.

    From 0 (the same direction) to 2; 2 for the first of a cluster. The order is that of the cosine
    with the centroid, ascending for `keep` "hard", descending for "easy", then of uids. So many
    clusters at a time as `memory_gb` holds embeddings of, and one at least; each such group reads
    the pool's embeddings once. A stopped run goes on with its last group.
    """

    name = "novelty_in_cluster"
    tolerance = 1e-6
    rows_per_second = 2_000.0

    keep: Literal["hard", "easy"] = "hard"
    clusters: int | None = None
    iterations: int = ITERATIONS
    seed: int = 0
    memory_gb: float = runtime_field(default=4.0)

    def inputs(self) -> tuple[NearestCentroid, ...]:
        """The clusters."""
        return (
            NearestCentroid(
                encoder=self.encoder,
                clusters=self.clusters,
                iterations=self.iterations,
                seed=self.seed,
            ),
        )

    def outputs(self) -> pa.Schema:
        """The novelty."""
        return pa.schema([(NOVELTY, pa.float32())])

    def compute(self, view: View, bench: Bench) -> Iterator[pa.RecordBatch]:
        """Group after group of clusters, into a file; then part after part out of it."""
        sizes, digest = _count(view)
        progress = _Progress.find(bench.folder, digest, view.n_rows)
        n_bytes = sizes * _bytes_per_row(view, self.features[0])
        for first, end in groups(n_bytes, int(self.memory_gb * _GB), progress.clusters_done):
            if sizes[first:end].any():
                self._group(view, bench, progress.novelty, first, end)
            progress.record(end)
            bench.tell(f"{end:,} of {len(sizes):,} clusters")
        start = 0
        for rows in view.parts():
            found = np.array(progress.novelty[start : start + rows.n_rows])
            start += rows.n_rows
            yield pa.record_batch([pa.array(found, mask=np.isnan(found))], names=[NOVELTY])
        progress.remove()

    def _group(
        self, view: View, bench: Bench, novelty: npt.NDArray[np.float32], first: int, end: int
    ) -> None:
        """The clusters from `first` to before `end`."""
        rows = _gather(view, self.features[0], first, end)
        fit = rows.fits if self.keep == "hard" else -rows.fits
        order = np.lexsort((rows.uids["f1"], rows.uids["f0"], fit, rows.labels))
        starts = np.searchsorted(rows.labels[order], np.arange(first, end + 1))
        for start, stop in pairwise(starts):
            here = order[start:stop]
            highest = cosines(rows.embeddings[here], bench.device).highest_before()
            novelty[rows.places[here]] = np.maximum(1 - highest, 0)


def groups(n_bytes: npt.NDArray[np.int64], budget: int, first: int) -> Iterator[tuple[int, int]]:
    """Ranges of clusters, from `first` on, that need no more than `budget`; or a single one."""
    total = np.cumsum(n_bytes)
    while first < len(n_bytes):
        before = total[first - 1] if first else 0
        end = int(np.searchsorted(total, before + budget, "right"))
        end = max(end, first + 1)
        yield first, end
        first = end


@dataclass
class _Rows:
    """The rows of some clusters; `places` in the pool."""

    labels: npt.NDArray[np.int32]
    fits: npt.NDArray[np.float32]
    uids: UidArray
    places: npt.NDArray[np.int64]
    embeddings: Raw


def _gather(view: View, key: str, first: int, end: int) -> _Rows:
    found, start = [], 0
    for rows in view.parts():
        labels = _labels(rows)
        here = np.flatnonzero((labels >= first) & (labels < end))
        if len(here):
            embeddings = rows.feature(key)[here]
            fits = rows.scores(SIMILARITY)[here]
            found.append((labels[here], fits, rows.uids[here], here + start, embeddings))
        start += rows.n_rows
    return _Rows(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _labels(rows: PartView) -> npt.NDArray[np.int32]:
    labels: npt.NDArray[np.int32] = rows.column(CLUSTER).fill_null(NONE).to_numpy()
    return labels


def _count(view: View) -> tuple[npt.NDArray[np.int64], str]:
    """The rows of each cluster; and a digest of all that tells them and their order."""
    sizes, digest = np.zeros(0, np.int64), hashlib.sha256()
    for rows in view.parts():
        labels = _labels(rows)
        counts = np.bincount(labels[labels != NONE])
        sizes = np.pad(sizes, (0, max(0, len(counts) - len(sizes))))
        sizes[: len(counts)] += counts
        for column in (labels, rows.scores(SIMILARITY), rows.uids):
            digest.update(np.ascontiguousarray(column).tobytes())
    return sizes, digest.hexdigest()


def _bytes_per_row(view: View, key: str) -> int:
    """Of an embedding as stored, twice while it is gathered, in float32, and what goes with it."""
    for rows in view.parts():
        embeddings = rows.feature(key)
        return int(embeddings.shape[1]) * (2 * embeddings.itemsize + 4) + 64
    return 0


@dataclass
class _Progress:
    """The novelty of every row of the pool, mapped; and how many clusters are done."""

    folder: Path
    digest: str
    novelty: Any
    clusters_done: int = 0

    @classmethod
    def find(cls, folder: Path, digest: str, n_rows: int) -> "_Progress":
        """What a stopped run left, if it was of the same rows in the same clusters; else NaN."""
        path, kept = folder / _RESULT, folder / _PROGRESS
        if path.is_file() and kept.is_file():
            facts = json.loads(kept.read_bytes())
            if facts["of"] == digest:
                novelty = np.load(path, mmap_mode="r+", allow_pickle=False)
                return cls(folder, digest, novelty, facts["clusters_done"])
        kept.unlink(missing_ok=True)
        mapped = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows,))
        mapped[:] = np.nan
        return cls(folder, digest, mapped)

    def record(self, clusters_done: int) -> None:
        """The clusters up to here are done."""
        self.novelty.flush()
        facts = {"of": self.digest, "clusters_done": clusters_done}
        write_json(self.folder / _PROGRESS, facts)

    def remove(self) -> None:
        """Free the disk."""
        for name in (_PROGRESS, _RESULT):
            (self.folder / name).unlink(missing_ok=True)
