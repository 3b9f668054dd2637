"""Exact cuts through scores that are too many for memory, by counting them a few times over.

A score has a key, an unsigned integer in the order of the scores: 16 of its bits are counted in
65,536 bins, then the next 16 among the scores that share the bin of the cut, until the scores
still in question are few enough to be collected. Counts of different chunks merge by addition.
Memory: the bins and the collected scores, under 2 MB, besides the chunk that is looked at.

-0.0 equals 0.0, infinities are scores, NaN is none. Besides float16, 32 and 64, scores may be
uint64, such as `datacomp.subset.selectors.uid_draws`; for the lowest ones, cut the inverted (`~`).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.subset.uids import UID_DTYPE, UidArray, are_many, sort_uids

Mask: TypeAlias = npt.NDArray[np.bool_]
Scores: TypeAlias = npt.NDArray[Any]

Chunk: TypeAlias = tuple[Scores, Callable[[], UidArray]]
"""The scores of some rows, and how to get these rows' uids if they are needed."""

DIGIT_BITS = 16
# So many scores or uids are collected and sorted rather than counted again.
CANDIDATES = 65_536


class _Kind(NamedTuple):
    """A type of scores: its size, and the bits of -0.0 and infinity (of uint64: 0 and all)."""

    bits: int
    sign: int
    infinity: int


_KINDS = {
    "float16": _Kind(16, 1 << 15, 0x7C00),
    "float32": _Kind(32, 1 << 31, 0x7F80_0000),
    "float64": _Kind(64, 1 << 63, 0x7FF0_0000_0000_0000),
    "uint64": _Kind(64, 0, 2**64 - 1),
}


@dataclass
class Cut:
    """Which rows are kept; ask part by part, once each, in the order of the scan.

    Rows with the score and the uid of the cut are interchangeable, and counted: the first `equal`
    of them are kept.
    """

    score: Any
    """The lowest score that is kept; None: nothing is."""
    uid: Any = None
    """The highest uid that is kept with that score; None: all uids are."""
    equal: int = 0
    """How many rows with that score and uid are still to be kept."""

    def keeps(self, scores: Scores, uids: Callable[[], UidArray]) -> Mask:
        """Mask of the rows that are kept; `uids` is called only if some row ties with the cut."""
        if self.score is None:
            return np.zeros(len(scores), bool)
        if self.uid is None:
            return np.asarray(scores >= self.score)
        mask = np.asarray(scores > self.score)
        ties = np.flatnonzero(scores == self.score)
        if len(ties):
            high, low = (uids()[name][ties] for name in ("f0", "f1"))
            same = high == self.uid["f0"]
            mask[ties] = (high < self.uid["f0"]) | (same & (low < self.uid["f1"]))
            equal = ties[same & (low == self.uid["f1"])][: self.equal]
            mask[equal] = True
            self.equal -= len(equal)
        return mask


class _Place(NamedTuple):
    """A score at some place in descending order: its place among its equals, and their number."""

    score: Any
    place: int
    equals: int


def find_cut(scan: Callable[[], Iterable[Chunk]], n: int) -> Cut:
    """The cut that keeps exactly `n` rows: the highest scores, ties going to the lower uid.

    All rows with a score if those are fewer. `scan` is walked two to four times (up to twelve if
    over 65,536 rows tie at the cut), and yields the same chunks each time, all of one dtype; uids
    are asked for only where ties must be broken.
    """
    if n < 0:
        raise UsageError(f"cannot keep {n} rows")
    if n == 0:
        return Cut(None)
    found = _nth(lambda: (scores for scores, _ in scan()), n - 1)
    if found is None:
        return Cut(float("-inf"))
    if found.place + 1 == found.equals:
        return Cut(found.score)

    def ties() -> Iterator[UidArray]:
        for scores, uids in scan():
            rows = np.flatnonzero(scores == found.score)
            if len(rows):
                yield uids()[rows]

    uid, place = _nth_uid(ties, found.place, found.equals)
    return Cut(found.score, uid, place + 1)


def nth_highest(scan: Callable[[], Iterable[Scores]], n: int) -> Any:
    """The score at place `n` (from 0) in descending order, as a scalar of the scores' dtype.

    NaN comes last, so that NaN is the answer where there are not so many scores.
    """
    found = _nth(scan, n)
    return found.score if found else float("nan")


def count_digits(scores: Scores, shift: int, counts: npt.NDArray[np.int64]) -> None:
    """Add to the 65,536 `counts` the digit at bit `shift` of each score's key; skips NaN."""
    kind = _kind(scores)
    bits = np.ascontiguousarray(scores).view(f"u{kind.bits // 8}")
    if are_many(len(bits)):
        from datacomp.subset import kernels

        kernels.count_digits(bits, kind.sign, kind.infinity, shift, counts)
        return
    bits = bits.astype(np.uint64)
    sign, magnitude = np.uint64(kind.sign), bits & np.uint64((kind.sign - 1) % 2**64)
    keys = np.where(bits & sign, sign - magnitude, sign + magnitude)
    keys = keys[magnitude <= np.uint64(kind.infinity)]
    digits = (keys >> np.uint64(shift)) & np.uint64(0xFFFF)
    np.add.at(counts, digits.astype(np.intp), 1)


def _nth(scan: Callable[[], Iterable[Scores]], n: int) -> _Place | None:
    """The place `n` in descending order; None if there are not so many scores."""
    counts, kind = np.zeros(1 << DIGIT_BITS, np.int64), _KINDS["float16"]
    for scores in scan():
        kind = _kind(scores)
        count_digits(scores, kind.bits - DIGIT_BITS, counts)
    if n >= counts.sum():
        return None
    key, shift = 0, kind.bits - DIGIT_BITS
    while True:
        up_to = np.cumsum(counts[::-1])
        place = int(np.searchsorted(up_to, n, "right"))
        digit = len(counts) - 1 - place
        n -= int(up_to[place] - counts[digit])
        key |= digit << shift
        lowest, highest = _score(kind, key), _score(kind, key + (1 << shift) - 1)
        if shift == 0:
            return _Place(lowest, n, int(counts[digit]))
        inside = (scores[(scores >= lowest) & (scores <= highest)] for scores in scan())
        if counts[digit] <= CANDIDATES:
            return _nth_of(np.concatenate(list(inside)), n)
        counts[:] = 0
        shift -= DIGIT_BITS
        for scores in inside:
            count_digits(scores, shift, counts)


def _nth_of(scores: Scores, n: int) -> _Place:
    score = np.sort(scores)[-1 - n]
    return _Place(
        score, n - int(np.count_nonzero(scores > score)), int(np.count_nonzero(scores == score))
    )


def _nth_uid(ties: Callable[[], Iterable[UidArray]], n: int, n_ties: int) -> tuple[Any, int]:
    """The uid at place `n` in ascending order, and its place among its equals."""
    if n_ties <= CANDIDATES:
        uids = sort_uids(np.concatenate(list(ties())))
        return uids[n], int(np.count_nonzero(uids[:n] == uids[n]))
    high = _nth(lambda: (~uids["f0"] for uids in ties()), n)
    assert high is not None, "there are more ties than that"

    def same_high() -> Iterator[UidArray]:
        return (uids[~uids["f0"] == high.score] for uids in ties())

    if high.equals <= CANDIDATES:
        return _nth_uid(same_high, high.place, high.equals)
    low = _nth(lambda: (~uids["f1"] for uids in same_high()), high.place)
    assert low is not None, "and as many with that word"
    return np.array((~high.score, ~low.score), UID_DTYPE)[()], low.place


def _score(kind: _Kind, key: int) -> Any:
    """The score with this key, or the one nearest to it."""
    if not kind.sign:
        return np.uint64(key)
    magnitude = min(abs(key - kind.sign), kind.infinity)
    bits = magnitude if key >= kind.sign else kind.sign | magnitude
    size = kind.bits // 8
    return np.array([bits], f"u{size}").view(f"f{size}")[0]


def _kind(scores: Scores) -> _Kind:
    try:
        return _KINDS[scores.dtype.name]
    except KeyError:
        known = ", ".join(_KINDS)
        raise UsageError(f"scores are {known}, got {scores.dtype}") from None
