"""The subset in memory: a sorted multiset of uids; a uid that stands there m times is trained on
m times. Its file is described in `datacomp.subset.blocks`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import SubsetError
from datacomp.subset.blocks import EXPECTED, SubsetFile, write_blocks
from datacomp.subset.uids import (
    UID_DTYPE,
    UidArray,
    count_runs,
    first_descent,
    sort_uids,
    starts_of_runs,
)


@dataclass(frozen=True, eq=False)
class Subset:
    """A sorted, read-only, 1-D `UID_DTYPE` array; a uid may stand in it many times.

    Raises `SubsetError` for another dtype, more dimensions, or an unsorted array.
    """

    uids: UidArray

    def __post_init__(self) -> None:
        if self.uids.dtype != UID_DTYPE or self.uids.ndim != 1:
            raise SubsetError(
                f"a subset is 1-D of dtype {EXPECTED}, "
                f"got {self.uids.ndim}-D of {self.uids.dtype.descr}"
            )
        if (position := first_descent(self.uids)) is not None:
            raise SubsetError(f"uids are not sorted: entry {position} is below the one before it")
        view = np.ascontiguousarray(self.uids).view()
        view.flags.writeable = False
        object.__setattr__(self, "uids", view)

    @classmethod
    def from_uids(cls, uids: UidArray) -> "Subset":
        """The subset of these uids, given in any order."""
        return cls(sort_uids(uids))

    @property
    def n(self) -> int:
        """Number of entries, repeats counted."""
        return len(self.uids)

    @cached_property
    def n_unique(self) -> int:
        """Number of different uids."""
        return count_runs(self.uids)

    @cached_property
    def sha256(self) -> str:
        """Hex sha256 of the array's bytes (not of the file with its header)."""
        return hashlib.sha256(self.uids.view(np.uint8).data).hexdigest()

    def counts(self) -> tuple[UidArray, npt.NDArray[np.int64]]:
        """The different uids, sorted, and how many times each stands in the subset."""
        starts = np.flatnonzero(starts_of_runs(self.uids))
        return self.uids[starts], np.diff(starts, append=self.n)


def read_subset(path: str | Path) -> Subset:
    """Read a subset file; `SubsetError` naming the file for anything but a sorted `u8,u8` `.npy`.

    Never unpickles.
    """
    return Subset(SubsetFile(path).read())


def write_subset(subset: Subset, path: str | Path, lock: Mapping[str, Any]) -> None:
    """Write `<path>.lock.json`, then the subset, each atomically.

    `lock` is JSON-serialisable provenance; `sha256`, `n` and `n_unique` are added to it.
    """
    write_blocks(path, [subset.uids], lambda: lock)
