"""Compiled loops of `soft_cap`: who comes early, among rows that wait by their scores.

A row with score s waits Exp(1) * e^-s; all here is in logarithms, so that no score is too high or
too low. Numbers come from a row's key, 64 bits, by SplitMix64 (Steele, Lea and Flood 2014): the
n-th is the finaliser of key + (n + 1) * gamma. Importing this loads numba.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.compiled import compiled

Floats = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Copies = npt.NDArray[np.uint32]

BINS = 65_536
"""Bins of a window of log times: [low, low + BINS / scale)."""

_GAMMA, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_11, _27, _30, _31 = (np.uint64(bits) for bits in (11, 27, 30, 31))


@compiled
def _uniform(key: Any, number: Any) -> float:
    """The row's n-th number, in (0, 1)."""
    bits = key + np.uint64(number + 1) * _GAMMA
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    bits ^= bits >> _31
    return (np.float64(bits >> _11) + 0.5) * 2.0**-53


@compiled
def _late(uniform: float, reach: float) -> bool:
    """Whether log(-log1p(-uniform)) > reach, without a logarithm; False where it is not plain.

    -log1p(-u) >= u, and e^reach <= (1 - reach / 8)^-8 for reach < 0.
    """
    if reach >= 0:
        return False
    above = 1.0 - reach * 0.125
    above *= above
    above *= above
    return uniform * (above * above) > 1.000001


@compiled
def early(
    levels: Floats, keys: Keys, number: int, until: float, rows: Counts, times: Floats
) -> int:
    """How many rows have a log time up to `until`; as many as fit are put into `rows`, `times`."""
    n = 0
    for row in range(len(levels)):
        uniform = _uniform(keys[row], number)
        if _late(uniform, until + levels[row]):
            continue
        time = np.log(-np.log1p(-uniform)) - levels[row]
        if time <= until:
            if n < len(rows):
                rows[n], times[n] = row, time
            n += 1
    return n


@compiled
def _next(key: Any, copy: int, time: float, score: float, alpha: float, until: float) -> Any:
    """The log time of a copy, given that of the one before; infinity if past `until`."""
    level = score - alpha * copy
    uniform = _uniform(key, copy)
    if _late(uniform, until + level):
        return np.inf
    wait = np.log(-np.log1p(-uniform)) - level
    if copy == 0:
        return wait
    longer, shorter = max(time, wait), min(time, wait)
    return longer + np.log1p(np.exp(shorter - longer))


@compiled
def _bin(time: float, low: float, scale: float) -> int:
    """The bin of a log time: -1 before the window, BINS after it."""
    place = (time - low) * scale
    if place < 0:
        return -1
    return int(place) if place < BINS else BINS


@compiled
def count_arrivals(
    scores: Floats,
    keys: Keys,
    alpha: float,
    most: int,
    low: float,
    scale: float,
    counts: Counts,
) -> int:
    """Add to `counts` the arrivals in each bin of the window; how many come before it."""
    until, before = low + BINS / scale, 0
    for row in range(len(scores)):
        time, copy = 0.0, 0
        while copy < most:
            time = _next(keys[row], copy, time, scores[row], alpha, until)
            place = _bin(time, low, scale)
            if place == BINS:
                break
            if place < 0:
                before += 1
            else:
                counts[place] += 1
            copy += 1
    return before


@compiled
def arrivals_before(
    scores: Floats,
    keys: Keys,
    alpha: float,
    most: int,
    low: float,
    scale: float,
    chosen: int,
    copies: Copies,
    rows: Counts,
    times: Floats,
) -> int:
    """Each row's arrivals before the bin `chosen`; those in it go to `rows`, `times`: how many.

    As many as fit are put there.
    """
    until, n = low + BINS / scale, 0
    for row in range(len(scores)):
        time, copy = 0.0, 0
        while copy < most:
            time = _next(keys[row], copy, time, scores[row], alpha, until)
            place = _bin(time, low, scale)
            if place > chosen:
                break
            if place < chosen:
                copies[row] += 1
            else:
                if n < len(rows):
                    rows[n], times[n] = row, time
                n += 1
            copy += 1
    return n
