"""The algebra of subsets as multisets of uids; every operation is a pure function."""

import numpy as np

from datacomp.errors import UsageError
from datacomp.subset.merging import INTERSECT, MINUS, UNION, merged
from datacomp.subset.selectors import drawn_blocks, share
from datacomp.subset.subset import Subset

BLOCK = 2**20


def union(a: Subset, b: Subset) -> Subset:
    """Every uid as often as in the subset that has more of it."""
    return Subset(merged(a.uids, b.uids, UNION))


def intersect(a: Subset, b: Subset) -> Subset:
    """Every uid as often as in the subset that has fewer of it."""
    return Subset(merged(a.uids, b.uids, INTERSECT))


def minus(a: Subset, b: Subset) -> Subset:
    """`a` without the uids that stand in `b`: they go entirely, however often `a` has them."""
    return Subset(merged(a.uids, b.uids, MINUS))


def sample(
    subset: Subset, *, fraction: float | None = None, n: int | None = None, seed: int = 0
) -> Subset:
    """`n` entries, or floor(fraction * subset.n), drawn without replacement by `seed`.

    Which are drawn depends on the uids and the seed alone. `UsageError` unless exactly one of
    `fraction` (0 to 1) and `n` (0 to subset.n) is given.
    """
    size = sample_size(subset.n, fraction, n)
    starts = range(0, subset.n, BLOCK)
    drawn = drawn_blocks(lambda: (subset.uids[at : at + BLOCK] for at in starts), size, seed)
    return Subset(np.concatenate([subset.uids[:0], *drawn]))


def sample_size(total: int, fraction: float | None, n: int | None) -> int:
    """How many of `total` entries to draw; `UsageError` if that is not exactly one number."""
    if (fraction is None) == (n is None):
        raise UsageError("give exactly one of fraction and n")
    size = share(total, fraction) if fraction is not None else n
    if size is None or not 0 <= size <= total:
        raise UsageError(f"cannot draw {n} entries from a subset of {total:,}")
    return size
