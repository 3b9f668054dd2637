"""The nearest of many centroids, in bounded memory, the same on every device.

Products are taken in float32 (never float16, never TF32), a tile of rows times all centroids at a
time. Rows for which float32 cannot tell the first from the second are decided in float64, so that
neither batch size, library nor device decides; exact ties go to the lowest index, as in argmax.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Metric = Literal["inner_product", "l2"]
Labels = npt.NDArray[np.int32]
Tile = npt.NDArray[np.float32]
Matrix = npt.NDArray[Any]
Search = Callable[[Tile], tuple[Labels, Matrix, Matrix]]
"""The best centroid per row; the rows in doubt; for each of them, which centroids it may be."""

TILE_FLOATS = 1 << 26
"""Products held at a time: 256 MB."""

NONE = -1
_DOUBT = 1e-5


@dataclass(frozen=True)
class Nearest:
    """Assigns rows to `centroids` (float32, k x d): the highest <row, centroid> - `offsets`."""

    centroids: Tile
    offsets: npt.NDArray[np.float64]
    search: Search

    def __call__(self, rows: Matrix) -> Labels:
        """For rows (n x d, float16 or float32) an int32 each; `NONE` for one that is not finite."""
        labels = np.full(len(rows), NONE, np.int32)
        step = max(1, TILE_FLOATS // len(self.centroids))
        for start in range(0, len(rows), step):
            tile = np.ascontiguousarray(rows[start : start + step], np.float32)
            finite = np.flatnonzero(np.isfinite(tile).all(axis=1))
            if len(finite):
                labels[start + finite] = self._labels(tile[finite])
        return labels

    def _labels(self, tile: Tile) -> Labels:
        labels, doubtful, close = self.search(tile)
        for row, may_be in zip(doubtful, close, strict=True):
            which = np.flatnonzero(may_be)
            exact = self.centroids[which].astype(np.float64) @ tile[row].astype(np.float64)
            labels[row] = which[np.argmax(exact - self.offsets[which])]
        return labels


def nearest(centroids: Matrix, metric: Metric, device: str) -> Nearest:
    """Prepare centroids (k x d) on "cpu" or "cuda".

    "inner_product" takes them as they are, of whatever length, as DataComp assigns; "l2" is the
    distance in which k-means made them: |r - c|^2 / 2 = |r|^2 / 2 - (<r, c> - |c|^2 / 2).
    """
    matrix = np.ascontiguousarray(centroids, np.float32)
    squares = np.square(matrix, dtype=np.float64).sum(axis=1)
    offsets = squares / 2 if metric == "l2" else np.zeros(len(matrix))
    prepare = _by_numpy if device == "cpu" else partial(_by_torch, device)
    return Nearest(matrix, offsets, prepare(matrix, offsets, float(np.sqrt(squares.max()))))


def _by_numpy(centroids: Tile, offsets: npt.NDArray[np.float64], longest: float) -> Search:
    turned, shift = centroids.T, offsets.astype(np.float32)

    def search(tile: Tile) -> tuple[Labels, Matrix, Matrix]:
        products = tile @ turned
        products -= shift
        best = products.argmax(axis=1)
        doubt = _DOUBT * longest * (np.linalg.norm(tile, axis=1) + longest)
        floor = products[np.arange(len(tile)), best] - doubt
        close = products >= floor.astype(np.float32)[:, None]
        doubtful = np.flatnonzero(np.count_nonzero(close, axis=1) > 1)
        return best.astype(np.int32), doubtful, close[doubtful]

    return search


def _by_torch(
    device: str, centroids: Tile, offsets: npt.NDArray[np.float64], longest: float
) -> Search:
    import torch

    turned = torch.from_numpy(centroids).to(device).T
    shift = torch.from_numpy(offsets.astype(np.float32)).to(device)

    def search(tile: Tile) -> tuple[Labels, Matrix, Matrix]:
        rows = torch.from_numpy(tile).to(device)
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            products = rows @ turned - shift
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed
        best = products.argmax(dim=1)
        doubt = _DOUBT * longest * (rows.norm(dim=1) + longest)
        close = products >= products.gather(1, best[:, None]) - doubt[:, None]
        doubtful = (close.sum(dim=1) > 1).nonzero()[:, 0]
        found = (best.to(torch.int32), doubtful, close[doubtful])
        return found[0].cpu().numpy(), found[1].cpu().numpy(), found[2].cpu().numpy()

    return search
