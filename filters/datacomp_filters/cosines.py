"""What a row's cosines with many others come to, tile by tile, on a CPU or a GPU.

Products are taken in float32 (never TF32) and never all held at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from datacomp.errors import require
from datacomp_filters.embeddings import Raw, Unit, unit_rows

Places = npt.NDArray[np.int64]

TILE_FLOATS = 1 << 24
"""Products held at a time: 64 MB."""
_MOST_ROWS = 8192


class Cosines(Protocol):
    """Others, (m, d), that rows are compared with; a cosine with a row without direction is 0."""

    def log_sums(
        self, rows: Unit, scale: float, without: Places | None = None
    ) -> npt.NDArray[np.float64]:
        """log sum_j exp(scale * cos(row, other_j)) for each row; -inf where there are no others.

        `without` names one of the others for each row that it is not compared with, or -1.
        """

    def strongest(self, rows: Unit) -> npt.NDArray[np.float32]:
        """max_j |cos(row, other_j)| for each row; 0 where there are no others."""

    def highest_before(self) -> npt.NDArray[np.float32]:
        """For each of the others, the highest cosine with one before it; -1 for the first."""


def cosines(others: Raw, device: str) -> Cosines:
    """Prepare others (of any length, float16 or float32 as stored) on "cpu" or "cuda"."""
    return _ByNumpy(others) if device == "cpu" else ByTorch(others, device)


def _tiles(n: int, rows: int) -> Iterator[slice]:
    """Slices of `n` others, for so many rows."""
    step = max(1, TILE_FLOATS // max(rows, 1))
    yield from (slice(start, min(start + step, n)) for start in range(0, n, step))


def _blocks(n: int) -> Iterator[slice]:
    """Slices of `n` rows, to be compared with all `n`."""
    step = min(_MOST_ROWS, max(1, TILE_FLOATS // max(n, 1)))
    yield from (slice(start, min(start + step, n)) for start in range(0, n, step))


def _left_out(without: Places, tile: slice) -> tuple[Places, Places]:
    """Row and column, in a tile, of each product that does not count."""
    (rows,) = np.nonzero((without >= tile.start) & (without < tile.stop))
    return rows, without[rows] - tile.start


class _ByNumpy:
    def __init__(self, others: Raw) -> None:
        self.others = others

    def log_sums(
        self, rows: Unit, scale: float, without: Places | None = None
    ) -> npt.NDArray[np.float64]:
        highest = np.full(len(rows), -np.inf, np.float32)
        total = np.zeros(len(rows))
        for tile in _tiles(len(self.others), len(rows)):
            logits = rows @ unit_rows(self.others[tile])[0].T
            logits *= np.float32(scale)
            if without is not None:
                logits[_left_out(without, tile)] = -np.inf
            top = np.maximum(highest, logits.max(axis=1))
            # A row that has been compared with nobody yet has no highest.
            level = np.where(np.isneginf(top), np.float32(0), top)
            logits -= level[:, None]
            np.exp(logits, out=logits)
            total *= np.exp(highest - level, dtype=np.float64)
            total += logits.sum(axis=1, dtype=np.float64)
            highest = top
        with np.errstate(divide="ignore"):
            return highest.astype(np.float64) + np.log(total)

    def strongest(self, rows: Unit) -> npt.NDArray[np.float32]:
        found = np.zeros(len(rows), np.float32)
        for tile in _tiles(len(self.others), len(rows)):
            products = rows @ unit_rows(self.others[tile])[0].T
            np.abs(products, out=products)
            np.maximum(found, products.max(axis=1), out=found)
        return found

    def highest_before(self) -> npt.NDArray[np.float32]:
        unit, _ = unit_rows(self.others)
        found = np.full(len(unit), -1, np.float32)
        for block in _blocks(len(unit)):
            products = unit[block] @ unit[: block.stop].T
            products[:, block][~np.tri(block.stop - block.start, k=-1, dtype=bool)] = -1
            found[block] = products.max(axis=1)
        return found


class ByTorch:
    """As on the CPU, by torch on any of its devices; the others stay there as they are stored."""

    def __init__(self, others: Raw, device: str) -> None:
        self.torch = require("torch", "train")
        # Arrays out of files may be read-only, which torch does not know.
        self.others = self.torch.from_numpy(np.array(others)).to(device)
        self.device = device

    def log_sums(
        self, rows: Unit, scale: float, without: Places | None = None
    ) -> npt.NDArray[np.float64]:
        """As `Cosines` says."""
        torch, given = self.torch, self.torch.from_numpy(rows).to(self.device)
        total = torch.full((len(rows),), -torch.inf, dtype=torch.float64, device=self.device)
        for tile in _tiles(len(self.others), len(rows)):
            logits = self._products(given, self.others[tile]) * scale
            if without is not None:
                places = (torch.from_numpy(one).to(self.device) for one in _left_out(without, tile))
                logits[tuple(places)] = -torch.inf
            total = torch.logaddexp(total, torch.logsumexp(logits, dim=1).double())
        sums: npt.NDArray[np.float64] = total.cpu().numpy()
        return sums

    def strongest(self, rows: Unit) -> npt.NDArray[np.float32]:
        """As `Cosines` says."""
        torch, given = self.torch, self.torch.from_numpy(rows).to(self.device)
        found = torch.zeros(len(rows), device=self.device)
        for tile in _tiles(len(self.others), len(rows)):
            products = self._products(given, self.others[tile])
            found = torch.maximum(found, products.abs().amax(dim=1))
        highest: npt.NDArray[np.float32] = found.cpu().numpy()
        return highest

    def highest_before(self) -> npt.NDArray[np.float32]:
        """As `Cosines` says."""
        torch, unit = self.torch, self._unit(self.others)
        found = torch.full((len(unit),), -1.0, device=self.device)
        for block in _blocks(len(unit)):
            products = self._products(unit[block], unit[: block.stop])
            after = torch.ones_like(products[:, block], dtype=torch.bool).triu()
            products[:, block].masked_fill_(after, -1)
            found[block] = products.amax(dim=1)
        highest: npt.NDArray[np.float32] = found.cpu().numpy()
        return highest

    def _products(self, unit: Any, others: Any) -> Any:
        with _no_tf32(self.torch):
            return unit @ self._unit(others).T

    def _unit(self, others: Any) -> Any:
        rows = others.float()
        norms = rows.norm(dim=1, keepdim=True)
        usable = norms.isfinite() & (norms > 0)
        return self.torch.where(usable, rows / norms, 0.0)


@contextmanager
def _no_tf32(torch: Any) -> Iterator[None]:
    allowed = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = allowed
