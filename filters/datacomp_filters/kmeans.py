"""Spherical k-means over a pool's image embeddings, and the cluster of every image.

As SemDeDup (arXiv 2303.09540) uses faiss: unit vectors, centroids of unit length, assignment by
cosine, trained on at most 256 rows a cluster (faiss's default), starting from rows drawn at random.
Unlike faiss, the rows are drawn by uid, so that neither the order of the pool nor parts decide; a
cluster that becomes empty starts anew at a row that its own centroid fits worst, where faiss splits
a large cluster; and iterations end early once centroids do not move.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.files import atomic_open
from datacomp.filtering import Arrays, Bench, Fit, Host, RowFunction, RowStep, View
from datacomp_filters.embeddings import (
    BLOCK_ROWS,
    OfEncoder,
    Raw,
    Sample,
    Unit,
    feature_rows,
    unit_rows,
)
from datacomp_filters.nearest import nearest

ROWS_PER_CLUSTER = 8_800
"""LAION-440M in 50,000 clusters, as the paper has it."""
MOST_CLUSTERS = 50_000
TRAINING_ROWS_PER_CLUSTER = 256
ITERATIONS = 100
"""SemDeDup's configuration."""
CLUSTER, SIMILARITY = "centroid", "centroid_similarity"

Labels = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Centroids(OfEncoder, Fit):
    """`centroids` (k, d; float32), each of length 1; k is lower only if there are fewer rows.

    `clusters` None is one for every 8,800 rows of the pool, 50,000 at most. Holds 256 embeddings a
    cluster in memory, as stored; every iteration leaves a checkpoint.
    """

    name = "spherical_kmeans"
    cost = "up to 100 passes over 256 rows a cluster"

    clusters: int | None = None
    iterations: int = ITERATIONS
    seed: int = 0

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Draw the rows, then iterate."""
        k = self.clusters or min(MOST_CLUSTERS, max(1, round(view.n_rows / ROWS_PER_CLUSTER)))
        sample = Sample(k * TRAINING_ROWS_PER_CLUSTER, self.seed)
        for rows in view.parts():
            images = rows.feature(*self.features)
            usable = unit_rows(images)[1]
            sample.add(rows.uids[usable], images[usable])
        (images,) = sample.features
        centroids, done = _read_checkpoint(bench.folder) or (unit_rows(images[:k])[0], 0)
        for number in range(done + 1, self.iterations + 1 if len(images) else 0):
            moved, fit = iterate(images, centroids, bench.device)
            if np.array_equal(moved, centroids):
                break
            centroids = moved
            _write_checkpoint(bench.folder, centroids, number)
            bench.tell(f"iteration {number} of at most {self.iterations}, mean cosine {fit:.4f}")
        return {"centroids": centroids}


@dataclass(frozen=True, kw_only=True)
class NearestCentroid(OfEncoder, RowStep):
    """The cluster of each image and its cosine with the centroid; null without a direction."""

    name = "nearest_centroid"
    device = "either"
    tolerance = 1e-6
    rows_per_second = 3_000.0

    clusters: int | None = None
    iterations: int = ITERATIONS
    seed: int = 0

    def fits(self) -> tuple[Centroids, ...]:
        """The centroids."""
        return (
            Centroids(
                encoder=self.encoder,
                clusters=self.clusters,
                iterations=self.iterations,
                seed=self.seed,
            ),
        )

    def outputs(self) -> pa.Schema:
        """An index into the centroids, and a cosine."""
        return pa.schema([(CLUSTER, pa.int32()), (SIMILARITY, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Prepare the centroids."""
        (fit,) = self.fits()
        centroids = host.arrays(fit)["centroids"]
        # Of a pool without usable rows there are none, and no row to assign.
        assign = nearest(centroids, "inner_product", host.device) if len(centroids) else None

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images, usable = unit_rows(feature_rows(batch, *self.features))
            labels, fits = np.zeros(len(images), np.int32), np.zeros(len(images), np.float32)
            if assign is not None:
                labels[usable] = assign(images[usable])
                fits = similarities(images, centroids, labels)
            columns = [pa.array(labels, mask=~usable), pa.array(fits, mask=~usable)]
            return pa.record_batch(columns, names=[CLUSTER, SIMILARITY])

        return compute


def iterate(images: Raw, centroids: Unit, device: str) -> tuple[Unit, float]:
    """One iteration: assign `images` (n, d; any length, each with a direction), move centroids.

    The new centroids, and the mean cosine of the images with the old ones. A row is assigned to the
    lowest of equally near centroids; of equally ill-fitting rows the first starts an empty cluster.
    """
    assign = nearest(centroids, "inner_product", device)
    sums = np.zeros(centroids.shape)
    fits = np.empty(len(images), np.float32)
    for block, unit in _blocks(images):
        labels = assign(unit)
        fits[block] = similarities(unit, centroids, labels)
        order = np.argsort(labels, kind="stable")
        present, starts = np.unique(labels[order], return_index=True)
        sums[present] += np.add.reduceat(unit[order].astype(np.float64), starts)
    moved, usable = unit_rows(sums.astype(np.float32))
    empty = np.flatnonzero(~usable)
    worst = np.argsort(fits, kind="stable")[: len(empty)]
    moved[empty[: len(worst)]] = unit_rows(images[worst])[0]
    return moved, float(fits.mean(dtype=np.float64))


def similarities(unit: Unit, centroids: Unit, labels: Labels) -> npt.NDArray[np.float32]:
    """Each row's cosine with its centroid; summed in float64, so that other rows do not matter."""
    cosines: npt.NDArray[np.float64] = np.einsum(
        "ij,ij->i", unit.astype(np.float64), centroids[labels].astype(np.float64)
    )
    return cosines.astype(np.float32)


def _blocks(images: Raw) -> Iterator[tuple[slice, Unit]]:
    for start in range(0, len(images), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        yield block, unit_rows(images[block])[0]


def _read_checkpoint(folder: Path) -> tuple[Unit, int] | None:
    path = folder / "centroids.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as saved:
        return saved["centroids"], int(saved["iterations"])


def _write_checkpoint(folder: Path, centroids: Unit, iterations: int) -> None:
    with atomic_open(folder / "centroids.npz") as file:
        np.savez(file, allow_pickle=False, centroids=centroids, iterations=np.array(iterations))
