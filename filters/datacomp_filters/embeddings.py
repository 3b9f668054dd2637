"""CLIP embeddings as pools store them: read, normalised, and drawn by uid."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.subset import UID_DTYPE, UidArray
from datacomp.subset.selectors import uid_draws

Encoder = Literal["b32", "l14"]
Raw = npt.NDArray[Any]
"""Embeddings as stored, (n, d): float16 or float32, of any length, some perhaps not finite."""
Unit = npt.NDArray[np.float32]
"""Embeddings of length 1, (n, d)."""
Mask = npt.NDArray[np.bool_]

BLOCK_ROWS = 8192


@dataclass(frozen=True, kw_only=True)
class OfEncoder:
    """A base of steps and fits that read the embeddings of one encoder, in its `towers`' order."""

    towers: ClassVar[tuple[str, ...]] = ("img",)

    encoder: Encoder = "l14"

    def __post_init__(self) -> None:
        # What a step reads is a class's, but which encoder's it is a parameter says.
        object.__setattr__(self, "features", tuple(f"{self.encoder}_{t}" for t in self.towers))


def unit_rows(raw: Raw) -> tuple[Unit, Mask]:
    """Each row divided by its L2 norm, in float32; and which rows have a direction.

    A row that holds NaN or infinity, or nothing but zeros, has none, and becomes zeros. A row's
    result does not depend on the rows beside it.
    """
    rows = np.array(raw, np.float32, order="C")
    with np.errstate(invalid="ignore", over="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    usable = np.isfinite(norms) & (norms > 0)
    rows[~usable] = 0
    rows /= np.where(usable, norms, 1)[:, None]
    return rows, usable


def feature_rows(batch: pa.RecordBatch, key: str) -> Raw:
    """The feature `key` of a step's batch as a matrix, (n, d)."""
    lists = batch.column(key)
    flat: Raw = lists.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(lists), lists.type.list_size)


def demand_width(rows: Raw, width: int, what: str) -> None:
    """`FilterError` if the pool's embeddings do not have the dimensions of `what`."""
    if rows.shape[1] != width:
        raise FilterError(
            f"the pool's embeddings have {rows.shape[1]} dimensions, {what} {width}; they must "
            "come from the same model"
        )


@dataclass
class Sample:
    """The `size` rows with the lowest draws of `seed`, of all that are added; sorted by the draw.

    A draw follows from the uid alone, so that neither the order of rows nor parts decide. Holds
    `uids` and, row for row, the `features` (as many matrices as are added).
    """

    size: int
    seed: int
    uids: UidArray = field(default_factory=lambda: np.empty(0, UID_DTYPE))
    features: tuple[Raw, ...] = ()
    _draws: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, uids: UidArray, *features: Raw) -> None:
        """Add rows."""
        draws = uid_draws(uids, self.seed)
        if len(self.uids) == self.size > 0:
            low = draws <= self._draws[-1]
            uids, draws, features = uids[low], draws[low], tuple(one[low] for one in features)
        uids, draws = np.concatenate([self.uids, uids]), np.concatenate([self._draws, draws])
        first = np.lexsort((uids["f1"], uids["f0"], draws))[: self.size]
        joined = zip(self.features or (one[:0] for one in features), features, strict=True)
        self.features = tuple(np.concatenate(pair)[first] for pair in joined)
        self.uids, self._draws = uids[first], draws[first]
