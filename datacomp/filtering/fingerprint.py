"""The fingerprint of a part for a step: a hash of what the step reads, whatever the file layout.

Made of one digest each for uids, columns, features and pictures, so that steps share them; what
was digested before is remembered (see fingerprint_memo.py). Row groups, compression, dictionary
pages and file names do not count; a changed caption does.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.files import sha256_json
from datacomp.filtering.fingerprint_memo import DigestMemo
from datacomp.filtering.spec import FitSpec, StepSpec
from datacomp.pool import Part, Pool, SampleIndex
from datacomp.pool.folder import File

_THREADS = min(os.cpu_count() or 1, 4)


class _Read(NamedTuple):
    """One thing that a step reads of a part."""

    kind: str
    name: str = ""


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of a pool's parts, as its files were when this was first asked.

    What nobody remembers is read: one column each of a few parts at a time. It is remembered in the
    score store at `store_root`.
    """

    pool: Pool
    store_root: Path

    def of(self, part: Part, spec: StepSpec | FitSpec) -> str:
        """Hex sha256 over uids, columns, features and pictures that it reads, in row order.

        `PoolError` if they cannot be read, or pictures are wanted and there is no index of them.
        """
        reads = [_Read("uids")]
        reads += [_Read("column", name) for name in dict.fromkeys(spec.columns)]
        reads += [_Read("feature", key) for key in dict.fromkeys(spec.features)]
        if spec.images:
            reads.append(_Read("pictures"))
        if any(self._known(part, read) is None for read in reads):
            self._digest_from(part, reads)
        return sha256_json(sorted([*read, self._known(part, read)] for read in reads))

    def _digest_from(self, part: Part, reads: list[_Read]) -> None:
        """Digest a part, and those that will be asked for next beside it."""
        first = self._places[part.name]
        parts = self.pool.parts[first : first + _THREADS]
        todo = [(p, read) for p in parts for read in reads if self._known(p, read) is None]
        with ThreadPoolExecutor(_THREADS) as threads:
            digests = list(threads.map(lambda task: self._digest(*task), todo))
        for (p, read), digest in zip(todo, digests, strict=True):
            self._memo.add(self._file(p, read), self._what(read), digest)

    def _known(self, part: Part, read: _Read) -> str | None:
        if read.kind == "uids" and part.uids_sha256 is not None:
            return part.uids_sha256
        return self._memo.get(self._file(part, read), self._what(read))

    def _what(self, read: _Read) -> str:
        # Where pictures are, the index says: what was found by another does not hold.
        return " ".join([*read, self._samples.index_id] if read.kind == "pictures" else read)

    def _digest(self, part: Part, read: _Read) -> str:
        if read.kind == "uids":
            # As the pool's index hashes them.
            return hashlib.sha256(_bytes(self.pool.uids(part))).hexdigest()
        if read.kind == "column":
            return column_digest(self.pool.read(part, [read.name]).column(0))
        if read.kind == "feature":
            return array_digest(self.pool.features(part, read.name))
        # Pictures are told apart by their size: a new one has another, and no tar need be read.
        positions = self._samples.locate(self.pool.uids(part))
        there = positions >= 0
        sizes = np.full(part.n_rows, -1)
        sizes[there] = self._samples.samples["image_size"][positions[there]]
        return array_digest(sizes)

    def _file(self, part: Part, read: _Read) -> File:
        path = self.pool.path(part, ".npz" if read.kind == "feature" else ".parquet")
        # A file that is gone has no stamp, so that nothing is remembered of it.
        return self._files.get(path) or File(path, 0, "")

    @cached_property
    def _files(self) -> dict[str, File]:
        """Listed before anything is read: what changes while it is read is read again next time."""
        files = self.pool.folder.files(self.pool.metadata, "")
        return {file.path: file for file in files}

    @cached_property
    def _memo(self) -> DigestMemo:
        folder = self.pool.folder
        return DigestMemo.load(self.store_root, folder.url, folder.local)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {part.name: place for place, part in enumerate(self.pool.parts)}

    @cached_property
    def _samples(self) -> SampleIndex:
        return self.pool.samples()


def array_digest(array: npt.NDArray[Any]) -> str:
    """Hex sha256 of an array's type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype.str}\0{array.shape}\0".encode())
    digest.update(_bytes(array))
    return digest.hexdigest()


def column_digest(column: pa.ChunkedArray) -> str:
    """Hex sha256 of a column's type and values; what lies under nulls and chunks do not count."""
    digest = hashlib.sha256(f"{column.type}\0{len(column)}\0".encode())
    _add(digest, column.chunks, column.type)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", chunks: list[pa.Array], kind: pa.DataType) -> None:
    """Hash which rows are null, then the values, without joining or copying the chunks."""
    for rows in _null_rows(chunks):
        digest.update(_bytes(rows))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        digest.update(b"list")
        for chunk in chunks:
            digest.update(_bytes(pc.list_value_length(chunk).fill_null(0).to_numpy()))
        inner = [pc.list_flatten(chunk) for chunk in chunks]
        digest.update(f"{sum(len(array) for array in inner)}\0".encode())
        _add(digest, inner, kind.value_type)
    elif pa.types.is_struct(kind):
        flat = [chunk.flatten() for chunk in chunks]
        for number, field in enumerate(kind):
            _add(digest, [arrays[number] for arrays in flat], field.type)
    elif pa.types.is_boolean(kind):
        for chunk in chunks:
            digest.update(_bytes(chunk.fill_null(False).to_numpy(zero_copy_only=False)))
    elif _is_text(kind):
        _add_text(digest, chunks, kind)
    elif pa.types.is_primitive(kind):
        for chunk in chunks:
            digest.update(_bytes(_plain_values(chunk, kind)))
    else:
        digest.update(repr(pa.chunked_array(chunks, kind).to_pylist()).encode())


def _null_rows(chunks: list[pa.Array]) -> Iterator[npt.NDArray[np.int64]]:
    """How many rows are null, and which."""
    yield np.array([sum(chunk.null_count for chunk in chunks)])
    start = 0
    for chunk in chunks:
        if chunk.null_count:
            yield np.flatnonzero(chunk.is_null().to_numpy(zero_copy_only=False)) + start
        start += len(chunk)


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())


def _add_text(digest: "hashlib._Hash", chunks: list[pa.Array], kind: pa.DataType) -> None:
    width = np.int64 if "large" in str(kind) else np.int32
    pieces = []
    for chunk in chunks:
        if not len(chunk):
            continue
        if chunk.null_count:
            chunk = chunk.fill_null("" if "string" in str(kind) else b"")
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, width)[chunk.offset : chunk.offset + len(chunk) + 1]
        digest.update(_bytes(np.diff(ends)))
        pieces.append(memoryview(data)[ends[0] : ends[-1]] if data is not None else b"")
    for piece in pieces:
        digest.update(piece)


def _plain_values(chunk: pa.Array, kind: pa.DataType) -> npt.NDArray[np.uint8]:
    """The bytes of numbers and times, zero under nulls."""
    width = kind.bit_width // 8
    values = chunk.buffers()[1]
    if values is None or not len(chunk):
        return np.zeros(len(chunk) * width, np.uint8)
    raw = np.frombuffer(values, np.uint8)[chunk.offset * width :][: len(chunk) * width]
    if not chunk.null_count:
        return raw
    valid = chunk.is_valid().to_numpy(zero_copy_only=False)
    return np.asarray(raw.reshape(-1, width) * valid[:, None].astype(np.uint8))


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
