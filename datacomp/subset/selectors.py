"""Pure rules for rows: how many a fraction is, what reaches a threshold, what chance draws.

Scores are 1-D floating arrays, NaN where there is no score; a row without a score is never kept.
The cut that keeps the highest ones is in `datacomp.subset.cuts`.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from math import floor

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.subset.cuts import Mask, Scores, find_cut
from datacomp.subset.uids import UidArray, starts_of_runs


def share(n: int, fraction: float) -> int:
    """floor(n * fraction), the fraction read as the decimal number that it prints as.

    So 0.29 of 100 is 29, where float arithmetic says 28. `UsageError` outside 0 to 1.
    """
    if not 0 <= fraction <= 1:
        raise UsageError(f"a fraction is between 0 and 1, got {fraction}")
    return floor(n * Fraction(repr(float(fraction))))


def threshold(scores: Scores, minimum: float) -> Mask:
    """Keep scores >= `minimum`, which is first rounded to the scores' dtype.

    So a float32 score that was written as 0.26 passes the threshold 0.26, as in DataComp. A finite
    minimum beyond the dtype's range is compared as it is: it is no infinity.
    """
    if abs(minimum) > float(np.finfo(scores.dtype).max):
        return np.asarray(scores >= np.float64(minimum))
    return np.asarray(scores >= scores.dtype.type(minimum))


def drawn_blocks(
    scan: Callable[[], Iterator[UidArray]], size: int, seed: int
) -> Iterator[UidArray]:
    """Draw `size` entries of sorted uids, block by block: those with the lowest draws.

    The m-th copy of a uid has a draw of its own, so that copies are drawn independently. `scan` is
    walked about three times; a block may overwrite the one before.
    """
    cut = find_cut(lambda: ((keys, partial(_same, b)) for b, keys in _keyed(scan(), seed)), size)
    for block, keys in _keyed(scan(), seed):
        yield block[cut.keeps(keys, partial(_same, block))]


def uid_draws(
    uids: UidArray, seed: int, copies: npt.NDArray[np.uint64] | None = None
) -> npt.NDArray[np.uint64]:
    """64 random-looking bits per row: the rows with the lowest ones are those that `seed` draws.

    From uid and seed alone, so not from the order of rows or parts; `copies` counts the copies of
    the uid before the row, None takes every row for a first one.
    """
    state = _mixed(np.array([seed % 2**64], np.uint64))
    for word in (np.uint64(0) if copies is None else copies, uids["f0"], uids["f1"]):
        state = _mixed(state ^ word)
    return state


def _keyed(
    blocks: Iterable[UidArray], seed: int
) -> Iterator[tuple[UidArray, npt.NDArray[np.uint64]]]:
    """Blocks of one sorted stream, with the inverted draw of each entry."""
    last, n_before = None, np.uint64(0)
    for block in blocks:
        copies = _copies_before(block)
        if last is not None:
            copies[block == last] += n_before
        last, n_before = block[-1].copy(), copies[-1] + np.uint64(1)
        yield block, ~uid_draws(block, seed, copies)


def _copies_before(sorted_uids: UidArray) -> npt.NDArray[np.uint64]:
    """For each entry, how many equal ones stand before it."""
    starts = np.flatnonzero(starts_of_runs(sorted_uids))
    lengths = np.diff(starts, append=len(sorted_uids))
    return (np.arange(len(sorted_uids)) - np.repeat(starts, lengths)).astype(np.uint64)


def _same(uids: UidArray) -> UidArray:
    return uids


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64: add the golden gamma, then the finaliser (Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
