"""Uids: reading them, sorting them, and the algebra of subsets."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from bench import Bench
from numba import njit

from datacomp.subset import (
    UID_DTYPE,
    Subset,
    UidArray,
    format_uids,
    intersect,
    minus,
    parse_uids,
    sort_uids,
    union,
)
from datacomp.subset.cuts import find_cut

N = 4_000_000
SORTED_BY_NUMPY = 1_000_000


def benches(_: Path) -> Iterator[Bench]:
    """Four million random uids; the limits are the least that each job must do."""
    uids = _random_uids()
    column = pa.array(format_uids(uids[:1_000_000]))
    data = np.frombuffer(column.buffers()[2], np.uint8)
    yield Bench("parse uids", "copy their bytes", lambda: parse_uids(column), data.copy)
    few = uids[:SORTED_BY_NUMPY]
    yield Bench(
        "sort uids", "numpy's structured sort", lambda: sort_uids(few), lambda: np.sort(few)
    )
    yield from _algebra(sort_uids(uids))
    scores = np.random.default_rng(1).normal(0.2, 0.06, N).astype(np.float32)
    yield Bench(
        "cut at the top 30%",
        "numpy's partition",
        lambda: find_cut(lambda: [(scores, lambda: uids)], N * 3 // 10),
        lambda: np.partition(scores, N * 7 // 10),
    )


def _algebra(uids: UidArray) -> Iterator[Bench]:
    """Two subsets with half of their uids in common, against a bare loop that merges them."""
    a, b = Subset(uids[_share(0)]), Subset(uids[_share(1)])
    words = [subset.uids.view(np.uint64).reshape(-1, 2) for subset in (a, b)]
    out = np.empty((a.n + b.n, 2), np.uint64)
    for operation in (union, intersect, minus):
        yield Bench(
            f"{operation.__name__} of subsets",
            "bare merge loop",
            lambda operation=operation: operation(a, b),
            lambda: _merge(*words, out),
        )


def _random_uids() -> UidArray:
    words = np.random.default_rng(0).integers(0, 2**64, (N, 2), np.uint64)
    return words.view(UID_DTYPE).ravel()


def _share(seed: int) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random(N) < 2 / 3


@njit
def _merge(
    a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64], out: npt.NDArray[np.uint64]
) -> int:
    """Both as one sorted array without repeats, as a textbook does it; no memory is made."""
    i = j = k = 0
    while i < len(a) and j < len(b):
        if a[i, 0] < b[j, 0] or (a[i, 0] == b[j, 0] and a[i, 1] < b[j, 1]):
            out[k] = a[i]
            i += 1
        else:
            if a[i, 0] == b[j, 0] and a[i, 1] == b[j, 1]:
                i += 1
            out[k] = b[j]
            j += 1
        k += 1
    return k
