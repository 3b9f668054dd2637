"""Uids as numbers: 32 hex characters to and from two 64-bit words, and their order.

A uid is 128 bits. DataComp writes it as 32 hex characters in metadata, and as the pair of its high
and low 64 bits in subset files. The order of uids is the order of those pairs.
"""

import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from datacomp.errors import SubsetError

if TYPE_CHECKING:
    import pyarrow as pa

UID_DTYPE = np.dtype([("f0", "<u8"), ("f1", "<u8")])
"""High and low 64 bits of a uid; equal to `numpy.dtype("u8,u8")` on little-endian machines."""

UidArray: TypeAlias = npt.NDArray[Any]
"""A 1-D array of `UID_DTYPE`."""

HEX_LENGTH = 32
COMPILED_FROM = 65_536


def parse_uids(hex_uids: "pa.Array | pa.ChunkedArray | Sequence[str]") -> UidArray:
    """Turn uids of 32 hex characters (either case) into a `UID_DTYPE` array, in input order.

    Raises `SubsetError` naming the first row (from 0) that is null, of another length or not hex.
    """
    import pyarrow as pa

    if not isinstance(hex_uids, pa.Array | pa.ChunkedArray):
        hex_uids = pa.array(hex_uids, pa.large_string())
    chunks = hex_uids.chunks if isinstance(hex_uids, pa.ChunkedArray) else [hex_uids]
    uids, row = np.empty(sum(map(len, chunks)), UID_DTYPE), 0
    for chunk in chunks:
        _parse_chunk(chunk, row, uids[row : row + len(chunk)])
        row += len(chunk)
    return uids


def format_uids(uids: UidArray) -> list[str]:
    """Write each uid as 32 lower-case hex characters."""
    text = np.ascontiguousarray(uids).view("<u8").astype(">u8").tobytes().hex()
    return [text[start : start + HEX_LENGTH] for start in range(0, len(text), HEX_LENGTH)]


def argsort_uids(uids: UidArray) -> npt.NDArray[np.int64]:
    """Positions that sort `uids`; equal uids stay in the order in which they came."""
    high, low = uids["f0"], uids["f1"]
    if not are_many(len(uids)):
        return np.lexsort((low, high))
    order, sorted_high = _sorted_with_places(high)
    # Almost no two different uids share a high word; sort by the low one first where they do.
    same = sorted_high[1:] == sorted_high[:-1]
    if same.any() and (low[order[1:][same]] < low[order[:-1][same]]).any():
        by_low, _ = _sorted_with_places(low)
        order = by_low[_sorted_with_places(high[by_low])[0]]
    return order


def sort_uids(uids: UidArray) -> UidArray:
    """A sorted copy of `uids`, duplicates kept; as much memory again is used meanwhile."""
    if not are_many(len(uids)):
        return uids[argsort_uids(uids)]
    from datacomp.subset import kernels

    ordered = np.empty(len(uids), UID_DTYPE)
    kernels.sort(uids, ordered, np.empty(len(uids), UID_DTYPE))
    return ordered


def sort_in_place(uids: UidArray, scratch: UidArray) -> None:
    """Sort `uids`, using as many places of `scratch`."""
    if are_many(len(uids)):
        from datacomp.subset import kernels

        kernels.sort(uids, uids, scratch[: len(uids)])
    else:
        uids[:] = sort_uids(uids)


def count_up_to(sorted_uids: UidArray, limit: tuple[int, int]) -> int:
    """How many uids are not above `limit`, its high and low word; a binary search."""
    high, low = np.uint64(limit[0]), np.uint64(limit[1])
    start, stop = (int(np.searchsorted(sorted_uids["f0"], high, s)) for s in ("left", "right"))
    return start + int(np.searchsorted(sorted_uids["f1"][start:stop], low, "right"))


def starts_of_runs(sorted_uids: UidArray) -> npt.NDArray[np.bool_]:
    """True where a uid differs from the one before it; the first is always True."""
    starts = np.ones(len(sorted_uids), bool)
    high, low = sorted_uids["f0"], sorted_uids["f1"]
    np.not_equal(high[1:], high[:-1], out=starts[1:])
    starts[1:] |= low[1:] != low[:-1]
    return starts


def count_runs(sorted_uids: UidArray) -> int:
    """Number of different uids."""
    if not are_many(len(sorted_uids)):
        return int(np.count_nonzero(starts_of_runs(sorted_uids)))
    from datacomp.subset import kernels

    return kernels.count_runs(sorted_uids)


def first_descent(uids: UidArray) -> int | None:
    """Position of the first uid that is smaller than the one before it, or None if sorted."""
    if not are_many(len(uids)):
        high, low = uids["f0"], uids["f1"]
        down = (high[1:] < high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] < low[:-1]))
        return int(np.argmax(down)) + 1 if down.any() else None
    from datacomp.subset import kernels

    position = kernels.first_descent(uids)
    return position if position >= 0 else None


def search_uids(sorted_uids: UidArray, queries: UidArray) -> npt.NDArray[np.int64]:
    """Position of the first equal uid for each query, -1 where there is none.

    Reads of `sorted_uids`, which may be mapped into memory, what a binary search reads.
    """
    if not are_many(len(queries)):
        return _search_few(sorted_uids, queries)
    from datacomp.subset import kernels

    if first_descent(queries) is None:
        return kernels.search(sorted_uids, queries)
    order = argsort_uids(queries)
    places = np.empty(len(queries), np.int64)
    places[order] = kernels.search(sorted_uids, queries[order])
    return places


def are_many(n: int) -> bool:
    """Whether `n` items are worth a compiled loop; below, numpy is done before numba is loaded."""
    return n >= COMPILED_FROM


def _sorted_with_places(
    words: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Positions that sort the words, stably, and the sorted words: a sort of (word, position)."""
    pairs = np.empty(len(words), UID_DTYPE)
    pairs["f0"], pairs["f1"] = words, np.arange(len(words))
    pairs = sort_uids(pairs)
    return pairs["f1"].astype(np.int64), pairs["f0"]


def _search_few(sorted_uids: UidArray, queries: UidArray) -> npt.NDArray[np.int64]:
    high, low = sorted_uids["f0"], sorted_uids["f1"]
    place = np.searchsorted(high, queries["f0"], "left")
    stop = np.searchsorted(high, queries["f0"], "right")
    for q in np.flatnonzero(stop - place > 1):
        place[q] += np.searchsorted(low[place[q] : stop[q]], queries["f1"][q])
    inside = np.flatnonzero(place < stop)
    found = inside[low[place[inside]] == queries["f1"][inside]]
    result = np.full(len(queries), -1, np.int64)
    result[found] = place[found]
    return result


def _parse_chunk(chunk: "pa.Array", first_row: int, uids: UidArray) -> None:
    if not len(chunk):
        return
    import pyarrow as pa

    if not (pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type)):
        chunk = chunk.cast(pa.large_string())
    width = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    _, offsets_buffer, data = chunk.buffers()
    offsets = np.frombuffer(offsets_buffer, width)[chunk.offset : chunk.offset + len(chunk) + 1]
    if chunk.null_count or (np.diff(offsets) != HEX_LENGTH).any():
        raise _bad_uid(chunk, first_row)
    try:
        raw = binascii.unhexlify(memoryview(data)[offsets[0] : offsets[-1]])
    except binascii.Error:
        raise _bad_uid(chunk, first_row) from None
    uids.view("<u8")[:] = np.frombuffer(raw, ">u8")


def _bad_uid(chunk: "pa.Array", first_row: int) -> SubsetError:
    """Find the first bad row again, slowly, to name it."""
    for row, uid in enumerate(chunk.to_pylist(), first_row):
        if uid is None:
            return SubsetError(f"row {row}: uid is null, expected {HEX_LENGTH} hex characters")
        try:
            fine = len(binascii.unhexlify(uid.encode())) * 2 == HEX_LENGTH
        except binascii.Error:
            fine = False
        if not fine:
            shown = uid if len(uid) <= 40 else uid[:37] + "..."
            return SubsetError(f"row {row}: {shown!r} is not a uid of {HEX_LENGTH} hex characters")
    raise AssertionError("a chunk was refused, but every uid in it is fine")
