"""What a filter answers: the uids that it keeps, and how many rows it dropped for which reason."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.subset import UID_DTYPE, UidArray


@dataclass(frozen=True)
class Selection:
    """Kept uids in any order, and the number of dropped rows by reason, in the order of the rules.

    Kept and dropped rows together are all rows that were looked at.
    """

    uids: UidArray
    dropped: Mapping[str, int]

    @property
    def n_rows(self) -> int:
        """Rows looked at."""
        return len(self.uids) + sum(self.dropped.values())


def keep_unless(uids: UidArray, reasons: Mapping[str, npt.NDArray[Any]]) -> Selection:
    """Keep the rows for which no reason's mask (bool, one per row) is True.

    A dropped row counts under the first reason that holds, in the order of `reasons`.
    """
    kept = np.ones(len(uids), bool)
    dropped = {}
    for reason, fails in reasons.items():
        dropped[reason] = int(np.count_nonzero(kept & fails))
        kept &= ~fails
    return Selection(uids[kept], dropped)


def join(selections: Iterable[Selection]) -> Selection:
    """One selection over the rows of all: the way to select a pool part by part."""
    uids, dropped = [np.empty(0, UID_DTYPE)], Counter[str]()
    for selection in selections:
        uids.append(selection.uids)
        dropped.update(dict(selection.dropped))
    return Selection(np.concatenate(uids), dict(dropped))
