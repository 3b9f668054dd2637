"""The algebra of subsets as multisets of uids; every operation is a pure function."""

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.subset.selectors import random_rows, share
from datacomp.subset.subset import Subset
from datacomp.subset.uids import UidArray, argsort_uids, starts_of_runs

_Counts = npt.NDArray[np.int64]


def union(a: Subset, b: Subset) -> Subset:
    """Every uid as often as in the subset that has more of it."""
    uids, in_a, in_b = _aligned(a, b)
    return Subset(np.repeat(uids, np.maximum(in_a, in_b)))


def intersect(a: Subset, b: Subset) -> Subset:
    """Every uid as often as in the subset that has fewer of it."""
    uids, in_a, in_b = _aligned(a, b)
    return Subset(np.repeat(uids, np.minimum(in_a, in_b)))


def minus(a: Subset, b: Subset) -> Subset:
    """`a` without the uids that stand in `b`: they go entirely, however often `a` has them."""
    uids, in_a, in_b = _aligned(a, b)
    return Subset(np.repeat(uids, np.where(in_b > 0, 0, in_a)))


def sample(
    subset: Subset, *, fraction: float | None = None, n: int | None = None, seed: int = 0
) -> Subset:
    """`n` entries, or floor(fraction * subset.n), drawn without replacement by `seed`.

    Which are drawn depends on the uids and the seed alone. `UsageError` unless exactly one of
    `fraction` (0 to 1) and `n` (0 to subset.n) is given.
    """
    if (fraction is None) == (n is None):
        raise UsageError("give exactly one of fraction and n")
    size = share(subset.n, fraction) if fraction is not None else n
    if size is None or not 0 <= size <= subset.n:
        raise UsageError(f"cannot draw {n} entries from a subset of {subset.n:,}")
    return Subset(subset.uids[random_rows(subset.uids, size, seed)])


def _aligned(a: Subset, b: Subset) -> tuple[UidArray, _Counts, _Counts]:
    """All different uids of both, sorted, with the count of each in `a` and in `b`."""
    (uids_a, counts_a), (uids_b, counts_b) = a.counts(), b.counts()
    uids = np.concatenate([uids_a, uids_b])
    order = argsort_uids(uids, in_runs=True)
    starts = starts_of_runs(uids[order])
    place = np.empty(len(uids), np.int64)
    place[order] = np.cumsum(starts) - 1
    n = int(np.count_nonzero(starts))
    in_a, in_b = np.zeros(n, np.int64), np.zeros(n, np.int64)
    in_a[place[: len(uids_a)]] = counts_a
    in_b[place[len(uids_a) :]] = counts_b
    return uids[order][starts], in_a, in_b
