"""Columns of lists as flat arrays, and long columns in blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CELLS = 1_000_000
"""Values that are looked at together."""


def blocks(n_rows: int, n_columns: int) -> Iterator[tuple[int, int]]:
    """Rows from and to, so that a block of so many columns holds about `CELLS` values."""
    size = max(CELLS // max(n_columns, 1), 64)
    return ((start, min(start + size, n_rows)) for start in range(0, n_rows, size))


@dataclass(frozen=True)
class Grouping:
    """What stands under each key: `values[start[key]:start[key + 1]]`."""

    start: npt.NDArray[np.int64]
    values: npt.NDArray[np.int32]

    @classmethod
    def of(cls, groups: list[list[int]]) -> "Grouping":
        """From lists."""
        start = np.cumsum([0, *map(len, groups)])
        return cls(start, np.array([value for group in groups for value in group], np.int32))

    def expand(self, keys: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """All that stands under some keys, one key after another: places in `keys`, and values."""
        lengths = (self.start[1:] - self.start[:-1])[keys]
        which = np.repeat(np.arange(len(keys)), lengths)
        within = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return which, self.values[self.start[keys][which] + within]


def flat(
    column: pa.Array | pa.ChunkedArray,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """A column of lists as rows and values, nulls as empty; null values as NaN."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    joined = pa.concat_arrays(chunks) if chunks else pa.array([], column.type)
    lengths = joined.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return (
        np.repeat(np.arange(len(lengths)), lengths),
        joined.flatten().to_numpy(zero_copy_only=False),
    )


def lists(
    counts: npt.NDArray[np.int32], values: pa.Array, missing: npt.NDArray[np.bool_]
) -> pa.ListArray:
    """Lists of `counts` values each, in order; null where `missing`."""
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(missing))
