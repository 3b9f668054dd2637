"""Pure rules from scores to rows: each returns a boolean mask, True means KEPT.

Scores are 1-D floating arrays, one per row of the whole pool, NaN where there is no score. A row
without a score is never kept. Two rules take a fraction: `top_fraction` is ours,
`top_fraction_datacomp` repeats DataComp's baselines bit for bit.
"""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.subset.uids import UidArray, argsort_uids, starts_of_runs

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[Any]


def share(n: int, fraction: float) -> int:
    """floor(n * fraction), the fraction read as the decimal number that it prints as.

    So 0.29 of 100 is 29, where float arithmetic says 28. `UsageError` outside 0 to 1.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"a fraction is between 0 and 1, got {fraction}")
    return floor(n * Fraction(repr(float(fraction))))


def top_fraction(scores: Scores, uids: UidArray, fraction: float) -> Mask:
    """Keep the floor(N * fraction) highest scores, N counting every row, scored or not.

    Exactly that many, ties going to the lower uid; fewer only if fewer rows have a score, so that
    fraction 1 keeps every row with a score, and fraction 0 none.
    """
    scored = ~np.isnan(scores)
    size = min(share(len(scores), fraction), int(np.count_nonzero(scored)))
    mask = np.zeros(len(scores), bool)
    rows = np.flatnonzero(scored)
    mask[rows[_lowest(-scores[rows], uids[rows], size)]] = True
    return mask


def top_fraction_datacomp(scores: Scores, fraction: float) -> Mask:
    """Keep what DataComp's `clip_score` keeps: all scores >= the (n+1)-th highest.

    n = int(N * fraction) in float arithmetic, N counting every row; NaN sorts last, and compares
    false. So n+1 rows are kept and every tie with the last; fraction 0 keeps the maximum; if the
    (n+1)-th is NaN nothing is kept. One deviation: fraction 1, where DataComp stops with an
    IndexError, keeps every row with a score. Compared in the scores' own dtype.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"a fraction is between 0 and 1, got {fraction}")
    n = int(len(scores) * fraction)
    if n >= len(scores):
        return ~np.isnan(scores)
    cut = -np.partition(-scores, n)[n]
    return np.asarray(scores >= cut)


def threshold(scores: Scores, minimum: float) -> Mask:
    """Keep scores >= `minimum`, which is first rounded to the scores' dtype.

    So a float32 score that was written as 0.26 passes the threshold 0.26, as in DataComp.
    """
    return np.asarray(scores >= scores.dtype.type(minimum))


def random_rows(uids: UidArray, size: int, seed: int) -> Mask:
    """Keep exactly `size` rows: those whose uid hashes lowest under `seed`.

    Independent of row order and of how rows are cut into parts. The m-th copy of a uid has a hash
    of its own, so that copies are drawn independently.
    """
    mask = np.zeros(len(uids), bool)
    mask[_lowest(_hashes(uids, seed), uids, size)] = True
    return mask


def _lowest(keys: npt.NDArray[Any], uids: UidArray, size: int) -> npt.NDArray[np.int64]:
    """Positions of the `size` lowest keys, equal keys in the order of their uids."""
    if size >= len(keys):
        return np.arange(len(keys))
    if size == 0:
        return np.empty(0, np.int64)
    cut = np.partition(keys, size - 1)[size - 1]
    below = np.flatnonzero(keys < cut)
    tied = np.flatnonzero(keys == cut)
    return np.concatenate([below, tied[argsort_uids(uids[tied])][: size - len(below)]])


def _hashes(uids: UidArray, seed: int) -> npt.NDArray[np.uint64]:
    """64 random-looking bits per row, from its uid, the copies before it, and the seed."""
    order = argsort_uids(uids)
    starts = starts_of_runs(uids[order])
    run = np.flatnonzero(starts)[np.cumsum(starts) - 1] if len(uids) else order
    copy = np.empty(len(uids), np.uint64)
    copy[order] = np.arange(len(uids)) - run
    state = _mixed(np.array([seed % 2**64], np.uint64))
    for word in (copy, uids["f0"], uids["f1"]):
        state = _mixed(state ^ word)
    return state


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64: add the golden gamma, then the finaliser (Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
