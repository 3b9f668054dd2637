"""Members renamed where they lie: a compiled walk over the headers of samples in a buffer.

Knows plain headers only (no extended ones, no links, ASCII suffixes) and leaves every other sample
to `datacomp.shards.sample`. Importing this loads numba; what it compiles is kept beside it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.compiled import compiled
from datacomp.subset.uids import UidArray

_Bytes = npt.NDArray[np.uint8]
_Longs = npt.NDArray[np.int64]

_BLOCK, _NAME, _UID = 512, 100, 32
_SIZE, _SIZE_END = 124, 136
_SUM, _SUM_END = 148, 156
_KIND, _MAGIC, _PREFIX = 156, 257, 345
_EVEN = np.uint64(0x00FF00FF00FF00FF)


def rename(
    buffer: _Bytes,
    starts: _Longs,
    sizes: _Longs,
    keys: npt.NDArray[np.bytes_],
    uids: UidArray,
    copies: _Longs,
) -> npt.NDArray[np.bool_]:
    """Rename every member of the samples at `starts` of `buffer` to `<uid>-<copy>.<suffix>`.

    `starts` and `sizes` are of whole blocks, as is the buffer.

    True for a sample that is done: all its headers are valid, plain, and carry its key. One that
    is not may be half renamed, so it has to be read again.
    """
    key_bytes = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), -1)
    words = np.ascontiguousarray(uids).view(np.uint64).reshape(-1, 2)
    done = np.zeros(len(starts), np.bool_)
    _rename(buffer, starts, sizes, key_bytes, words, copies, done)
    return done


@compiled
def _octal(data: _Bytes, start: int, stop: int) -> int:
    """The number in a header's field; -1 if it is not in octal digits."""
    value = 0
    while start < stop and data[start] == 32:
        start += 1
    while start < stop and 48 <= data[start] <= 55:
        value = value * 8 + (data[start] - 48)
        start += 1
    return value if start == stop or data[start] in (0, 32) else -1


@compiled
def _suffix(data: _Bytes, at: int, key: _Bytes) -> int:
    """Length of the suffix behind the key and the dot; -1 if the name is not plain."""
    length = 0
    while length < len(key) and key[length] != 0:
        if length >= _NAME - 1 or data[at + length] != key[length]:
            return -1
        length += 1
    if data[at + length] != 46:  # "."
        return -1
    start = stop = at + length + 1
    while stop < at + _NAME and data[stop] != 0:
        if data[stop] >= 128 or data[stop] == 47:  # "/"
            return -1
        stop += 1
    return stop - start


@compiled
def _stem(high: Any, low: Any, copy: int, stem: _Bytes) -> int:
    """Write `<uid>-<copy>.` and return its length."""
    for place in range(_UID):
        word = high if place < 16 else low
        digit = (word >> np.uint64(60 - 4 * (place % 16))) & np.uint64(15)
        stem[place] = np.uint8(digit + (48 if digit < 10 else 87))
    stem[_UID] = 45  # "-"
    digits, rest = 1, copy
    while rest >= 10:
        rest //= 10
        digits += 1
    for place in range(digits):
        stem[_UID + digits - place] = np.uint8(48 + copy % 10)
        copy //= 10
    stem[_UID + 1 + digits] = 46  # "."
    return _UID + 2 + digits


@compiled
def _sum(data: _Bytes, words: npt.NDArray[np.uint64], at: int) -> int:
    """The sum of a header, its own field read as spaces; eight bytes at a time."""
    sums = np.uint64(0)
    for place in range(at // 8, (at + _BLOCK) // 8):
        # Four sums of 16 bits, to which 64 words add at most 64 * 2 * 255.
        sums += (words[place] & _EVEN) + ((words[place] >> np.uint64(8)) & _EVEN)
    total = 8 * 32
    for lane in range(4):
        total += int((sums >> np.uint64(16 * lane)) & np.uint64(0xFFFF))
    for place in range(_SUM, _SUM_END):
        total -= data[at + place]
    return total


@compiled
def _rename_header(
    data: _Bytes,
    words: npt.NDArray[np.uint64],
    at: int,
    key: _Bytes,
    stem: _Bytes,
    n_stem: int,
    suffix: _Bytes,
) -> int:
    """Rename one member and return the size of its content; -1 if the header is not plain."""
    kind = data[at + _KIND]
    posix = data[at + _MAGIC + 5] == 0  # "ustar\0" has a prefix, "ustar " has times there
    length = _suffix(data, at, key)
    total = _sum(data, words, at)
    if (
        (kind != 48 and kind != 0 and kind != 55)
        or (posix and data[at + _PREFIX] != 0)
        or length < 0
        or n_stem + length > _NAME
        or total != _octal(data, at + _SUM, at + _SUM_END)
    ):
        return -1
    key_length = 0
    while key_length < len(key) and key[key_length] != 0:
        key_length += 1
    for place in range(length):
        byte = data[at + key_length + 1 + place]
        suffix[place] = byte + 32 if 65 <= byte <= 90 else byte
    for place in range(_NAME):
        total -= data[at + place]
        if place < n_stem:
            data[at + place] = stem[place]
        else:
            data[at + place] = suffix[place - n_stem] if place < n_stem + length else 0
        total += data[at + place]
    for place in range(6):
        data[at + _SUM + 5 - place] = 48 + (total >> (3 * place)) % 8
    data[at + _SUM + 6], data[at + _SUM + 7] = 0, 32
    return _octal(data, at + _SIZE, at + _SIZE_END)


@compiled
def _rename(
    data: _Bytes,
    starts: _Longs,
    sizes: _Longs,
    keys: _Bytes,
    uids: npt.NDArray[np.uint64],
    copies: _Longs,
    done: npt.NDArray[np.bool_],
) -> None:
    stem, suffix = np.empty(_NAME, np.uint8), np.empty(_NAME, np.uint8)
    words = data.view(np.uint64)
    for i in range(len(starts)):
        n_stem = _stem(uids[i, 0], uids[i, 1], copies[i], stem)
        at, end = starts[i], starts[i] + sizes[i]
        while at >= 0 and at + _BLOCK <= end:
            size = _rename_header(data, words, at, keys[i], stem, n_stem, suffix)
            at = at + _BLOCK + -(-size // _BLOCK) * _BLOCK if size >= 0 else -1
        done[i] = at == end
