"""The k-means cluster of every image, and the clusters in which a target set's images lie."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.filtering import (
    Arrays,
    Asset,
    Bench,
    Fit,
    Host,
    RowFunction,
    RowStep,
    View,
    runtime_field,
)
from datacomp.filtering.assets import FoundAsset, find_assets
from datacomp_filters.arrays import Matrix, read_matrix
from datacomp_filters.nearest import NONE, Metric, nearest

Scale = Literal["small", "medium", "large", "xlarge"]

FEATURES = "l14_img"
CLUSTER = "cluster"
_TARGET_KEY = "image_features"
_PIECE = 65_536


@dataclass(frozen=True, kw_only=True)
class NearestCluster(RowStep):
    """The index of the centroid nearest to each image's CLIP L/14 feature; null if not finite.

    `scale` names the released centroids of a pool, `centroids` a file to take instead; which it was
    is known by the content alone.
    """

    name = "nearest_cluster"
    features = (FEATURES,)
    device = "either"
    rows_per_second = 300.0

    metric: Metric
    scale: Scale | None = runtime_field(default=None)
    centroids: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """None: features alone."""
        return ()

    def outputs(self) -> pa.Schema:
        """An index into the centroids."""
        return pa.schema([(CLUSTER, pa.int32())])

    def assets(self) -> tuple[Asset, ...]:
        """The centroids."""
        return (centroids_asset(self.scale, self.centroids),)

    def open(self, host: Host) -> RowFunction:
        """Load the centroids."""
        (asset,) = self.assets()
        centroids = read_matrix(asset.path)
        assign = nearest(centroids, self.metric, host.device)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            lists = batch.column(FEATURES)
            rows = lists.flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
            _demand_width(rows, centroids, "the pool's features")
            labels = assign(rows)
            return pa.record_batch([pa.array(labels, mask=labels == NONE)], names=[CLUSTER])

        return compute


@dataclass(frozen=True, kw_only=True)
class TargetClusters(Fit):
    """How many images of the target set lie in each cluster that has any.

    `clusters` (int32, ascending) and `images` (int64). `target` is a file of features, or a folder
    with the released ones, instead of the ImageNet-1k training images.
    """

    name = "target_clusters"

    metric: Metric
    scale: Scale | None = runtime_field(default=None)
    centroids: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)

    def assets(self) -> tuple[Asset, ...]:
        """The centroids, and the target set's features."""
        features = find_assets("in1k_clip_vit_l14", self.target, "target")
        return (centroids_asset(self.scale, self.centroids), *features)

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Assign every target image, as the pool's images are assigned."""
        first, *files = self.assets()
        centroids = read_matrix(first.path)
        assign = nearest(centroids, self.metric, bench.device)
        images = np.zeros(len(centroids), np.int64)
        for file in files:
            for piece in _pieces(read_matrix(file.path, _TARGET_KEY)):
                _demand_width(piece, centroids, str(file.path))
                labels = assign(piece)
                images += np.bincount(labels[labels != NONE], minlength=len(images))
        clusters = np.flatnonzero(images)
        return {"clusters": clusters.astype(np.int32), "images": images[clusters]}


def centroids_asset(scale: Scale | None, given: str | None) -> FoundAsset:
    """The centroids of a scale, or the given ones, under one name: their content tells them."""
    (asset,) = find_assets(f"{scale or 'small'}_centroids", given, "centroids")
    asset.sha256()
    return replace(asset, name="centroids", expected=None)


def _pieces(matrix: Matrix) -> Iterator[Matrix]:
    yield from (matrix[start : start + _PIECE] for start in range(0, len(matrix), _PIECE))


def _demand_width(rows: Matrix, centroids: Matrix, what: str) -> None:
    if rows.shape[1] != centroids.shape[1]:
        raise FilterError(
            f"{what} have {rows.shape[1]} dimensions, the centroids {centroids.shape[1]}; they "
            "must come from the same model"
        )
