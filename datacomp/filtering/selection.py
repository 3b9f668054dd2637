"""What becomes of the rows of one pool part: kept, how often, or dropped for which reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError
from datacomp.subset import UidArray

MOST_REASONS = 255
MOST_COPIES = 2**32 - 1


class _Rows(Protocol):
    @property
    def n_rows(self) -> int: ...


@dataclass(frozen=True)
class Selection:
    """One code a row (uint8): 0 is kept, k is dropped for `reasons[k - 1]`.

    `copies` (uint32, one a row) is how often a kept row stands in the subset; None means once.
    """

    reasons: tuple[str, ...]
    code: npt.NDArray[np.uint8]
    copies: npt.NDArray[np.uint32] | None = None

    @property
    def n_rows(self) -> int:
        """Rows looked at."""
        return len(self.code)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """The rows that are kept."""
        return np.asarray(self.code == 0)

    @property
    def times(self) -> npt.NDArray[np.uint32]:
        """How often every row stands in the subset: 0 if dropped."""
        kept = self.kept.astype(np.uint32)
        return kept if self.copies is None else kept * self.copies

    def dropped(self) -> dict[str, int]:
        """Rows dropped, by reason, in the order of the reasons; equal reasons add up."""
        counts = np.bincount(self.code, minlength=len(self.reasons) + 1)[1:]
        dropped: dict[str, int] = {}
        for reason, n in zip(self.reasons, counts, strict=True):
            dropped[reason] = dropped.get(reason, 0) + int(n)
        return dropped

    def of(self, uids: UidArray) -> UidArray:
        """The entries of the subset, given the uid of every row."""
        kept = np.flatnonzero(self.kept)
        chosen = uids[kept]
        return chosen if self.copies is None else np.repeat(chosen, self.copies[kept])


def keep_unless(
    rows: _Rows,
    reasons: Mapping[str, npt.NDArray[Any]],
    copies: npt.NDArray[Any] | None = None,
) -> Selection:
    """Keep the rows of a part for which no reason's mask (bool, one per row) is True.

    A dropped row counts under the first reason that holds, in the order of `reasons`. A kept row
    stands in the subset once, or as often as `copies` (integers from 1, one per row) says.
    """
    if len(reasons) > MOST_REASONS:
        raise FilterError(f"{len(reasons)} reasons are too many; at most {MOST_REASONS}")
    code = np.zeros(rows.n_rows, np.uint8)
    for number, (reason, fails) in enumerate(reasons.items(), 1):
        if fails.shape != code.shape or fails.dtype != np.bool_:
            raise FilterError(
                f"reason {reason!r} has a mask of {fails.dtype} {fails.shape}, expected bool, one "
                f"for each of {rows.n_rows:,} rows"
            )
        code[(code == 0) & fails] = number
    if copies is not None:
        whole = np.issubdtype(copies.dtype, np.integer)
        if not whole or copies.shape != code.shape or (code == 0)[copies < 1].any():
            raise FilterError("copies are integers, one for each row, 1 or more where it is kept")
        copies = as_copies(copies)
    return Selection(tuple(reasons), code, copies)


def as_copies(times: npt.NDArray[Any]) -> npt.NDArray[np.uint32]:
    """How often rows are kept, in the type that a Selection holds; `FilterError` if too often."""
    most = int(times.max(initial=0))
    if most > MOST_COPIES:
        raise FilterError(f"a row would be kept {most:,} times; at most {MOST_COPIES:,}")
    return times.astype(np.uint32)
