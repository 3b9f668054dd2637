"""Uids as numbers: 32 hex characters to and from two 64-bit words, and their order.

A uid is 128 bits. DataComp writes it as 32 hex characters in metadata, and as the pair of its high
and low 64 bits in subset files. The order of uids is the order of those pairs.
"""

import binascii
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import SubsetError

UID_DTYPE = np.dtype([("f0", "<u8"), ("f1", "<u8")])
"""High and low 64 bits of a uid; equal to `numpy.dtype("u8,u8")` on little-endian machines."""

UidArray: TypeAlias = npt.NDArray[Any]
"""A 1-D array of `UID_DTYPE`."""

HEX_LENGTH = 32


def parse_uids(hex_uids: pa.Array | pa.ChunkedArray | Sequence[str]) -> UidArray:
    """Turn uids of 32 hex characters (either case) into a `UID_DTYPE` array, in input order.

    Raises `SubsetError` naming the first row (from 0) that is null, of another length or not hex.
    """
    if not isinstance(hex_uids, pa.Array | pa.ChunkedArray):
        hex_uids = pa.array(hex_uids, pa.large_string())
    chunks = hex_uids.chunks if isinstance(hex_uids, pa.ChunkedArray) else [hex_uids]
    parsed, row = [np.empty(0, UID_DTYPE)], 0
    for chunk in chunks:
        parsed.append(_parse_chunk(chunk, row))
        row += len(chunk)
    return np.concatenate(parsed)


def format_uids(uids: UidArray) -> list[str]:
    """Write each uid as 32 lower-case hex characters."""
    text = np.ascontiguousarray(uids).view("<u8").astype(">u8").tobytes().hex()
    return [text[start : start + HEX_LENGTH] for start in range(0, len(text), HEX_LENGTH)]


def argsort_uids(uids: UidArray, *, in_runs: bool = False) -> npt.NDArray[np.int64]:
    """Positions that sort `uids`; equal uids come in no particular order.

    `in_runs` says that `uids` is a few sorted arrays one after another: merging them is faster.

    Sorts by the high word and repairs where that was not enough: different random uids share
    almost none, so this is about four times as fast as numpy's sort of the pairs.
    """
    order = np.argsort(uids["f0"], kind="stable" if in_runs else "quicksort")
    high = uids["f0"][order]
    same = high[1:] == high[:-1]
    if same.any():
        low = uids["f1"][order]
        wrong = same & (low[1:] < low[:-1])
        if wrong.any():
            run = np.concatenate([[0], np.cumsum(~same)])
            damaged = np.zeros(run[-1] + 1, bool)
            damaged[run[1:][wrong]] = True
            places = np.flatnonzero(damaged[run])
            order[places] = order[places[np.lexsort((low[places], high[places]))]]
    return order


def sort_uids(uids: UidArray) -> UidArray:
    """A sorted copy of `uids`, duplicates kept."""
    return uids[argsort_uids(uids)]


def starts_of_runs(sorted_uids: UidArray) -> npt.NDArray[np.bool_]:
    """True where a uid differs from the one before it; the first is always True."""
    starts = np.ones(len(sorted_uids), bool)
    high, low = sorted_uids["f0"], sorted_uids["f1"]
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return starts


def first_descent(uids: UidArray) -> int | None:
    """Position of the first uid that is smaller than the one before it, or None if sorted."""
    high, low = uids["f0"], uids["f1"]
    down = (high[1:] < high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] < low[:-1]))
    return int(np.argmax(down)) + 1 if down.any() else None


def _parse_chunk(chunk: pa.Array, first_row: int) -> UidArray:
    if not len(chunk):
        return np.empty(0, UID_DTYPE)
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
    return np.frombuffer(raw, ">u8").astype("<u8").view(UID_DTYPE)


def _bad_uid(chunk: pa.Array, first_row: int) -> SubsetError:
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
