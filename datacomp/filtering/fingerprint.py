"""A hash of what a step reads of a pool part: the uids and the columns, whatever the file layout.

Row groups, compression, dictionary pages and file names do not count; a changed caption does.
"""

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.filtering.spec import StepSpec
from datacomp.pool import Part, Pool


def part_fingerprint(pool: Pool, part: Part, spec: StepSpec) -> str:
    """Hex sha256 over uids, columns and features that the step reads, in row order.

    Holds one column of one part in memory at a time.
    """
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(pool.uids(part)).view(np.uint8).data)
    for name in spec.columns:
        column = pool.read(part, [name]).column(0)
        digest.update(f"\0{name}\0{column.type}\0".encode())
        _add(digest, _one_array(column))
    for key in spec.features:
        array = np.ascontiguousarray(pool.features(part, key))
        digest.update(f"\0{key}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.view(np.uint8).data)
    return digest.hexdigest()


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _add(digest: "hashlib._Hash", array: pa.Array) -> None:
    """Hash which rows are valid, then the values; what lies under a null does not count."""
    kind = array.type
    _add_numbers(digest, pc.is_valid(array).cast(pa.uint8()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        _add_numbers(digest, pc.list_value_length(array).fill_null(0))
        _add(digest, pc.list_flatten(array))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind) or _is_large(kind):
        filled = array.fill_null("" if "string" in str(kind) else b"").cast(pa.large_binary())
        _add_numbers(digest, pc.binary_length(filled))
        _, offsets, data = filled.buffers()
        ends = np.frombuffer(offsets, np.int64)[filled.offset : filled.offset + len(filled) + 1]
        if data is not None:
            digest.update(memoryview(data)[ends[0] : ends[-1]])
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        _add_numbers(digest, array.fill_null(False if pa.types.is_boolean(kind) else 0))
    else:
        digest.update(repr(array.to_pylist()).encode())


def _is_large(kind: Any) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _add_numbers(digest: "hashlib._Hash", array: pa.Array) -> None:
    numbers = np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
    digest.update(numbers.view(np.uint8).data)
