"""Compiled loops over uids and scores, one thread each, without the interpreter's lock.

Importing this loads numba, and the first call on a machine compiles (then numba's cache answers),
so callers import it where they need it; `datacomp.subset.uids` says when that is. Uids are taken
as two columns of 64-bit words, high and low, scores as their bits.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.compiled import compiled
from datacomp.subset.uids import UidArray

_Words = npt.NDArray[np.uint64]

_INSERTION = 16  # buckets up to this size are sorted by insertion
_MAX_BITS = 11  # 2,048 open destinations are about what a core's address cache can hold
_STACK = 1 << 15  # 128 bits are at most 12 digits of _MAX_BITS, each leaving 2,048 ranges to do
_ONE = np.uint64(1)


def sort(uids: UidArray, out: UidArray, scratch: UidArray) -> None:
    """Sort `uids` into `out`; `scratch` is as long. `out` may be `uids` itself.

    Radix exchange from the highest differing bits down: linear for any keys.
    """
    _sort(_words(uids), _writable(out), _writable(scratch))


def merge(
    a: UidArray, b: UidArray, out: UidArray, *, left: bool, both: bool, right: bool, pairs: bool
) -> tuple[int, int, int]:
    """Merge sorted `a` and `b` until one is used up; how much of `a`, `b` and `out` is used.

    `left`, `both`, `right`: whether an entry is kept that only `a` has, both have, only `b` has.
    `pairs`: whether an entry of both uses up the one of `b` too.
    """
    keeps = (int(left), int(both), int(right), int(pairs))
    i, j, k = _merge(_words(a), _words(b), _writable(out), *keeps)
    return int(i), int(j), int(k)


def first_descent(uids: UidArray) -> int:
    """Position of the first uid below the one before it, -1 if there is none."""
    return int(_first_descent(_words(uids)))


def count_runs(sorted_uids: UidArray) -> int:
    """Number of different uids."""
    return int(_count_runs(_words(sorted_uids)))


def search(sorted_uids: UidArray, sorted_queries: UidArray) -> npt.NDArray[np.int64]:
    """Position of the first equal uid for each query, -1 where there is none."""
    places = np.empty(len(sorted_queries), np.int64)
    _search(_words(sorted_uids), _words(sorted_queries), places)
    return places


def count_digits(
    bits: npt.NDArray[Any], sign: int, infinity: int, shift: int, counts: npt.NDArray[np.int64]
) -> None:
    """Add to `counts` how often each 16-bit digit at `shift` of the ordered key occurs.

    See `datacomp.subset.cuts` for the key; bits of a NaN are left out.
    """
    bits = bits.view()
    bits.flags.writeable = False
    _count_digits(bits, np.uint64(sign), np.uint64(infinity), np.uint64(shift), counts)


def _words(uids: UidArray) -> _Words:
    """Read-only, so that each kernel is compiled for one kind of array."""
    words = _writable(uids)
    words.flags.writeable = False
    return words


def _writable(uids: UidArray) -> _Words:
    return np.ascontiguousarray(uids).view(np.uint64).reshape(-1, 2)


@compiled
def _insert(source: _Words, out: _Words, start: int, stop: int) -> None:
    for i in range(start, stop):
        high, low = source[i, 0], source[i, 1]
        j = i
        while j > start and (
            out[j - 1, 0] > high or (out[j - 1, 0] == high and out[j - 1, 1] > low)
        ):
            out[j, 0], out[j, 1] = out[j - 1, 0], out[j - 1, 1]
            j -= 1
        out[j, 0], out[j, 1] = high, low


@compiled
def _digit_place(source: _Words, start: int, stop: int) -> tuple[int, int, int]:
    """Word, shift and width of the highest bits in which entries differ; width 0: all equal."""
    high, low = source[start, 0], source[start, 1]
    in_high, in_low = high ^ high, low ^ low
    for i in range(start, stop):
        in_high |= source[i, 0] ^ high
        in_low |= source[i, 1] ^ low
    word, differing = (0, in_high) if in_high != 0 else (1, in_low)
    length = 0
    while differing != 0:
        differing >>= _ONE
        length += 1
    width, size = -2, stop - start
    while size > 1:
        size >>= 1
        width += 1
    width = min(max(width, 1), _MAX_BITS, length)
    return word, length - width, width


@compiled
def _scatter(
    source: _Words, out: _Words, start: int, stop: int, word: int, shift: int, ends: Any
) -> None:
    """Order entries by their digit; `ends` becomes where each digit's entries end."""
    down, mask = np.uint64(shift), np.uint64(len(ends) - 1)
    ends[:] = 0
    for i in range(start, stop):
        ends[(source[i, word] >> down) & mask] += 1
    place = start
    for digit in range(len(ends)):
        place, ends[digit] = place + ends[digit], place
    for i in range(start, stop):
        digit = (source[i, word] >> down) & mask
        place = ends[digit]
        ends[digit] = place + 1
        out[place, 0], out[place, 1] = source[i, 0], source[i, 1]


@compiled
def _sort(uids: _Words, out: _Words, scratch: _Words) -> None:
    if _first_descent(uids) < 0:
        out[:] = uids
        return
    ends = np.empty(1 << _MAX_BITS, np.int64)
    todo = np.empty((_STACK, 3), np.int64)
    todo[0] = (0, len(uids), 0)
    n_todo = 1
    while n_todo:
        n_todo -= 1
        start, stop, level = todo[n_todo]
        # The entries travel from uids to scratch to out to scratch ..., and must end in out.
        source = uids if level == 0 else scratch if level % 2 else out
        target = out if level % 2 else scratch
        if stop - start <= _INSERTION:
            _insert(source, out, start, stop)
            continue
        word, shift, width = _digit_place(source, start, stop)
        if width == 0:
            out[start:stop] = source[start:stop]
            continue
        _scatter(source, target, start, stop, word, shift, ends[: 1 << width])
        for digit in range(1 << width):
            stop = ends[digit]
            if stop - start <= _INSERTION:
                _insert(target, out, start, stop)
            else:
                todo[n_todo] = (start, stop, level + 1)
                n_todo += 1
            start = stop


@compiled
def _merge(
    a: _Words, b: _Words, out: _Words, left: int, both: int, right: int, pairs: int
) -> tuple[int, int, int]:
    i = j = k = 0
    while i < len(a) and j < len(b):
        a_high, a_low, b_high, b_low = a[i, 0], a[i, 1], b[j, 0], b[j, 1]
        same = a_high == b_high
        # Numbers instead of branches: which head is lower cannot be predicted.
        less = int((a_high < b_high) | (same & (a_low < b_low)))
        more = int((a_high > b_high) | (same & (a_low > b_low)))
        equal = 1 - less - more
        out[k, 0] = b_high if more else a_high
        out[k, 1] = b_low if more else a_low
        k += (less & left) | (equal & both) | (more & right)
        i += 1 - more
        j += more | (equal & pairs)
    return i, j, k


@compiled
def _first_descent(uids: _Words) -> int:
    for i in range(1, len(uids)):
        high, before = uids[i, 0], uids[i - 1, 0]
        if high < before or (high == before and uids[i, 1] < uids[i - 1, 1]):
            return i
    return -1


@compiled
def _count_runs(uids: _Words) -> int:
    n = min(len(uids), 1)
    for i in range(1, len(uids)):
        n += (uids[i, 0] != uids[i - 1, 0]) | (uids[i, 1] != uids[i - 1, 1])
    return n


@compiled
def _search(uids: _Words, queries: _Words, places: npt.NDArray[np.int64]) -> None:
    """Gallop from one query's place to the next one's: cheap for many queries as for few."""
    start = 0
    for q in range(len(queries)):
        high, low = queries[q, 0], queries[q, 1]
        stride, stop = 1, start
        while stop < len(uids) and (
            uids[stop, 0] < high or (uids[stop, 0] == high and uids[stop, 1] < low)
        ):
            start = stop + 1
            stop += stride
            stride *= 2
        stop = min(stop, len(uids))
        while start < stop:
            middle = (start + stop) // 2
            if uids[middle, 0] < high or (uids[middle, 0] == high and uids[middle, 1] < low):
                start = middle + 1
            else:
                stop = middle
        found = start < len(uids) and uids[start, 0] == high and uids[start, 1] == low
        places[q] = start if found else -1


@compiled
def _count_digits(
    bits: npt.NDArray[Any], sign: Any, infinity: Any, shift: Any, counts: npt.NDArray[np.int64]
) -> None:
    for i in range(len(bits)):
        word = np.uint64(bits[i])
        magnitude = word & (sign - _ONE)
        if magnitude <= infinity:
            key = sign - magnitude if word & sign else sign + magnitude
            counts[(key >> shift) & np.uint64(0xFFFF)] += 1
