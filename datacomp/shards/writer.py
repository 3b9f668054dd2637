"""One output shard, written whole or not at all: a task that any process can do, alone.

Samples are read into a buffer, renamed there, written and hashed; those that are not plain, or
whose faces are dealt with, are taken apart and put together.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError, ShardsError
from datacomp.files import atomic_open, write_bytes
from datacomp.pool.folder import Folder
from datacomp.pool.tar import BLOCK
from datacomp.shards.faces import FaceError, faces_of_sample, with_faces
from datacomp.shards.options import FaceOptions, FaceSource
from datacomp.shards.plan import NAME_FORMAT, RECORD, STATS_FORMAT, Longs
from datacomp.shards.sample import put_together, take_apart
from datacomp.shards.source import Source
from datacomp.subset import UidArray, format_uids

BATCH_BYTES, BATCHES_AHEAD = 4 * 1024 * 1024, 8
FLUSH_BYTES = 16 * 1024 * 1024
LISTED = 20


@dataclass(frozen=True, eq=False)
class ShardTask:
    """Everything to write output shard `number`; arrays have one row per entry.

    `faces` has the boxes of the uids that have any. `compiled` chooses between two ways to the
    same bytes: numba's, which takes long to load, and Python's.
    """

    number: int
    out: Path
    folder: Folder
    names: tuple[str, ...]
    shards: Longs
    offsets: Longs
    sizes: Longs
    keys: npt.NDArray[np.bytes_]
    uids: UidArray
    copies: Longs
    compiled: bool
    face_options: FaceOptions | None
    faces: Mapping[str, Any]
    skip_broken: bool


@dataclass(frozen=True)
class ShardRecord:
    """A shard that was written: `broken` maps a uid that was left out to the reason.

    `n_broken` counts the entries that were left out, `n_blurred` those with blurred faces.
    """

    number: int
    samples: int
    bytes: int
    sha256: str
    n_blurred: int
    n_broken: int
    broken: Mapping[str, str]


def write_shard(task: ShardTask) -> ShardRecord:
    """Write the tar, then its stats.

    Raises `PoolError` if an input shard is not what was indexed, `ShardsError` for faces
    that cannot be dealt with, unless they are to be skipped.
    """
    path = task.out / NAME_FORMAT.format(task.number)
    work = _Work(task)
    with atomic_open(path) as file, _Sink(file) as sink:
        for batch in work.batches():
            sink.put(batch)
        if work.broken and not task.skip_broken:
            raise ShardsError(_say_broken(task, work))
        sink.put(np.zeros(-(sink.size + 2 * BLOCK) % RECORD + 2 * BLOCK, np.uint8))
        sha256, size = sink.finish(), sink.size
    samples = len(task.uids) - work.n_broken
    stats = f'{{"successes": {samples}}}'
    write_bytes(task.out / STATS_FORMAT.format(task.number), stats.encode())
    listed = dict(sorted(work.broken.items())[:LISTED])
    return ShardRecord(task.number, samples, size, sha256, work.n_blurred, work.n_broken, listed)


class _Sink:
    """Writes and hashes at once, each in a thread of its own, beside whoever makes the batches.

    Holds that one back when it is some batches ahead.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.size = 0
        self._file, self._sha256 = file, hashlib.sha256()
        self._threads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._pending: list[Future[Any]] = []
        self._written = self._flushed = 0

    def __enter__(self) -> "_Sink":
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.shutdown(cancel_futures=True)

    def put(self, data: npt.NDArray[np.uint8]) -> None:
        """Take `data`, which must not change before `BATCHES_AHEAD` more were put."""
        while len(self._pending) >= 2 * BATCHES_AHEAD:
            self._pending.pop(0).result()
        writing, hashing = self._threads
        self._pending.append(writing.submit(self._write, data))
        self._pending.append(hashing.submit(self._sha256.update, data.data))
        self.size += len(data)

    def finish(self) -> str:
        """The sha256 of everything, once it is written."""
        for future in self._pending:
            future.result()
        return self._sha256.hexdigest()

    def _write(self, data: npt.NDArray[np.uint8]) -> None:
        self._written += self._file.write(data.data)
        size = self._written - self._flushed
        if size >= FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # Starts writing to the disk now, so that there is less to wait for at the end.
            self._file.flush()
            os.posix_fadvise(self._file.fileno(), self._flushed, size, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written


class _Work:
    """The entries of a task as bytes, batch by batch, and what was met on the way."""

    def __init__(self, task: ShardTask) -> None:
        self.task = task
        self.n_blurred = self.n_broken = 0
        self.broken: dict[str, str] = {}

    def batches(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Pieces of the tar; each stays as it is until `BATCHES_AHEAD` + 1 more were taken."""
        task = self.task
        ends = np.cumsum(task.sizes)
        buffers = [np.empty(0, np.uint8)] * (BATCHES_AHEAD + 2)
        first = turn = 0
        with closing(Source(task.folder, task.names)) as source:
            while first < len(ends):
                base = int(ends[first - 1]) if first else 0
                last = int(np.searchsorted(ends, base + BATCH_BYTES, "right"))
                last = max(last, first + 1)
                size = int(ends[last - 1]) - base
                turn = (turn + 1) % len(buffers)
                if len(buffers[turn]) < size:
                    buffers[turn] = np.empty(max(size, BATCH_BYTES), np.uint8)
                buffer = buffers[turn][:size]
                rows = slice(first, last)
                source.fill(buffer, task.shards[rows], task.offsets[rows], task.sizes[rows])
                yield self._renamed(source, buffer, rows)
                first = last

    def _renamed(
        self, source: Source, buffer: npt.NDArray[np.uint8], rows: slice
    ) -> npt.NDArray[np.uint8]:
        """The batch with new names: the buffer itself if every sample of it is plain."""
        task = self.task
        sizes = task.sizes[rows]
        starts = np.cumsum(sizes) - sizes
        uids = format_uids(task.uids[rows]) if task.face_options or not task.compiled else []
        by_hand = np.ones(len(sizes), bool)
        if task.compiled and not self._reads_every_json():
            from datacomp.shards.kernels import rename

            arguments = (task.keys[rows], task.uids[rows], task.copies[rows])
            by_hand = ~rename(buffer, starts, sizes, *arguments)
            if task.faces:
                by_hand |= np.array([uid in task.faces for uid in uids])
        if not by_hand.any():
            return buffer
        again = np.flatnonzero(by_hand)
        spans = np.empty(int(sizes[again].sum()), np.uint8)
        places = again + rows.start
        source.fill(spans, task.shards[places], task.offsets[places], task.sizes[places])
        at, parts, done = 0, [], 0
        for i, place in zip(again.tolist(), places.tolist(), strict=True):
            size = int(sizes[i])
            parts.append(buffer[done : int(starts[i])])
            rebuilt = self._rebuilt(source, place, spans[at : at + size].tobytes())
            parts.append(np.frombuffer(rebuilt, np.uint8))
            at, done = at + size, int(starts[i]) + size
        return np.concatenate([*parts, buffer[done:]])

    def _reads_every_json(self) -> bool:
        options = self.task.face_options
        return options is not None and options.source is FaceSource.JSON

    def _rebuilt(self, source: Source, row: int, span: bytes) -> bytes:
        """One sample under its new name; b"" if it is broken."""
        task = self.task
        uid, key = format_uids(task.uids[row : row + 1])[0], task.keys[row].decode()
        try:
            pieces = take_apart(span, key)
        except PoolError as error:
            raise PoolError(
                f"{source.path(int(task.shards[row]))} is not the file that was indexed: at byte "
                f"{int(task.offsets[row]):,} there is no whole sample {key!r} ({error}). "
                f"Run: datacomp pool index {task.folder.url}"
            ) from error
        if task.face_options is not None:
            try:
                boxes = (
                    faces_of_sample(pieces) if self._reads_every_json() else task.faces.get(uid, [])
                )
                if boxes != []:
                    pieces = with_faces(pieces, boxes, task.face_options)
                    self.n_blurred += task.face_options.blur
            except FaceError as error:
                self.n_broken += 1
                self.broken[uid] = f"{task.names[int(task.shards[row])]}, sample {key}: {error}"
                return b""
        return put_together(pieces, f"{uid}-{int(task.copies[row])}")


def _say_broken(task: ShardTask, work: _Work) -> str:
    uid, why = next(iter(work.broken.items()))
    return (
        f"{NAME_FORMAT.format(task.number)}: {work.n_broken:,} of {len(task.uids):,} samples have "
        f"faces that cannot be dealt with, the first one {uid} ({why}). Leave them out of the "
        "subset, or pass --on-error skip."
    )
