"""Sampling with replacement, exactly, in bounded memory, whatever the order of the rows.

Each row is an independent Poisson process of rate `weight`; the first n arrivals of all processes
together are n independent draws with probabilities proportional to the weights. A row's arrivals
follow from its uid and the seed alone, so that neither row order nor parts decide. The arrivals of
a row past `cap` are passed over: a draw of an example that has been drawn `cap` times is discarded
and another takes its place.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from datacomp.subset import UidArray
from datacomp.subset.cuts import find_cut
from datacomp.subset.selectors import uid_draws

Weights = npt.NDArray[np.float64]
Rows = tuple[UidArray, Weights]
Copies = npt.NDArray[np.uint32]


def draw(scan: Callable[[], Iterable[Rows]], n: int, cap: int, seed: int) -> Iterator[Copies]:
    """How often each row is drawn, part after part in the order of `scan`, `n` draws in all.

    `scan` gives uids and weights (finite, 0 or more) of a part and may be called several times;
    fewer than `n` are drawn only if every row of positive weight is drawn `cap` times. Rows with
    equal uids have equal arrivals.
    """
    total = most = 0.0
    for _, weights in scan():
        total += float(weights.sum())
        most += float(np.count_nonzero(weights)) * cap
    until = _enough(scan, min(n, int(most)), cap, seed, total)
    cut = find_cut(
        lambda: (
            (-times, partial(_take, uids, rows))
            for uids, weights in scan()
            for rows, times in (arrivals(uids, weights, cap, seed, until),)
        ),
        n,
    )
    for uids, weights in scan():
        rows, times = arrivals(uids, weights, cap, seed, until)
        drawn = rows[cut.keeps(-times, partial(_take, uids, rows))]
        yield np.bincount(drawn, minlength=len(uids)).astype(np.uint32)


def arrivals(
    uids: UidArray, weights: Weights, cap: int, seed: int, until: float
) -> tuple[npt.NDArray[np.int64], Weights]:
    """The first `cap` arrivals of each row up to `until`: row numbers, and times (float64)."""
    active = np.flatnonzero(weights > 0)
    time = np.zeros(len(active))
    rows, times = [active[:0]], [time[:0]]
    for number in range(cap):
        if not len(active):
            break
        bits = uid_draws(uids[active], _stream(seed, number))
        uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        time = time - np.log(uniform) / weights[active]
        early = time <= until
        active, time = active[early], time[early]
        rows.append(active)
        times.append(time)
    return np.concatenate(rows), np.concatenate(times)


def _enough(scan: Callable[[], Iterable[Rows]], n: int, cap: int, seed: int, total: float) -> float:
    """A time up to which there are at least `n` arrivals, and not many more."""
    if n == 0:
        return 0.0
    until: float = (n + 6 * n**0.5 + 10) / total
    while sum(len(arrivals(*rows, cap, seed, until)[0]) for rows in scan()) < n:
        until *= 1.5
    return until


def _take(uids: UidArray, rows: npt.NDArray[np.int64]) -> UidArray:
    return uids[rows]


def _stream(seed: int, number: int) -> int:
    """A seed of its own for every draw of a row."""
    digest = hashlib.blake2b(f"draws {seed} {number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
