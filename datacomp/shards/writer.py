"""One output shard, written whole or not at all: a task that any process can do, alone.

Samples are read into a buffer, renamed there, written and hashed; those that are not plain, or
whose faces are dealt with, are taken apart and put together.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError, ShardsError
from datacomp.files import atomic_open, write_bytes
from datacomp.pool.folder import Folder
from datacomp.pool.tar import BLOCK, printable
from datacomp.shards.faces import FaceError, faces_of_sample, with_faces
from datacomp.shards.options import FaceOptions, FaceSource
from datacomp.shards.places import write_places
from datacomp.shards.plan import NAME_FORMAT, PLACES_FORMAT, RECORD, STATS_FORMAT, Longs
from datacomp.shards.sample import put_together, take_apart
from datacomp.shards.sink import BATCHES_AHEAD, Bytes, Sink
from datacomp.shards.source import Source
from datacomp.subset import UidArray, format_uids

BATCH_BYTES = 2 * 1024 * 1024
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
    sha256: bool


@dataclass(frozen=True)
class ShardRecord:
    """A shard that was written: `broken` maps a uid that was left out to the reason.

    `sha256` is None where nobody asked for it; `n_broken` counts the entries that were left out,
    `n_blurred` those with blurred faces.
    """

    number: int
    samples: int
    bytes: int
    sha256: str | None
    n_blurred: int
    n_broken: int
    broken: Mapping[str, str]


def write_shard(task: ShardTask) -> ShardRecord:
    """Write the tar, then where its samples lie, then its stats.

    Raises `PoolError` if an input shard is not what was indexed, `ShardsError` for faces
    that cannot be dealt with, unless they are to be skipped.
    """
    path = task.out / NAME_FORMAT.format(task.number)
    work = _Work(task)
    with atomic_open(path) as file, Sink(file, sha256=task.sha256) as sink:
        for batch in work.batches():
            sink.put(batch)
        if work.broken and not task.skip_broken:
            raise ShardsError(_say_broken(task, work))
        sink.put(np.zeros(-(sink.size + 2 * BLOCK) % RECORD + 2 * BLOCK, np.uint8))
        sha256, size = sink.finish(), sink.size
    samples = len(task.uids) - work.n_broken
    written = work.sizes > 0
    offsets = np.concatenate([[0], np.cumsum(work.sizes[written])])
    write_places(task.out / PLACES_FORMAT.format(task.number), task.uids[written], offsets)
    stats = f'{{"successes": {samples}}}'
    write_bytes(task.out / STATS_FORMAT.format(task.number), stats.encode())
    listed = dict(sorted(work.broken.items())[:LISTED])
    return ShardRecord(task.number, samples, size, sha256, work.n_blurred, work.n_broken, listed)


class _Work:
    """The entries of a task as bytes, batch by batch, and what was met on the way.

    `sizes` are those of the entries that were taken as they are written; 0 for a broken one.
    """

    def __init__(self, task: ShardTask) -> None:
        self.task, self.sizes = task, task.sizes.copy()
        self.n_blurred = self.n_broken = 0
        self.broken: dict[str, str] = {}

    def batches(self) -> Iterator[Bytes]:
        """Pieces of the tar; each stays as it is until `BATCHES_AHEAD` + 1 more were taken."""
        task = self.task
        ends = np.cumsum(task.sizes)
        buffers = [np.empty(BATCH_BYTES, np.uint8) for _ in range(BATCHES_AHEAD + 2)]
        first = turn = 0
        with closing(Source(task.folder, task.names)) as source:
            while first < len(ends):
                base = int(ends[first - 1]) if first else 0
                last = int(np.searchsorted(ends, base + BATCH_BYTES, "right"))
                last = max(last, first + 1)
                size = int(ends[last - 1]) - base
                turn = (turn + 1) % len(buffers)
                fits = size <= BATCH_BYTES
                buffer = buffers[turn][:size] if fits else np.empty(size, np.uint8)
                rows = slice(first, last)
                source.fill(buffer, task.shards[rows], task.offsets[rows], task.sizes[rows])
                yield self._renamed(source, buffer, rows)
                first = last

    def _renamed(self, source: Source, buffer: Bytes, rows: slice) -> Bytes:
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
            self.sizes[place] = len(rebuilt)
            at, done = at + size, int(starts[i]) + size
        return np.concatenate([*parts, buffer[done:]])

    def _reads_every_json(self) -> bool:
        options = self.task.face_options
        return options is not None and options.source is FaceSource.JSON

    def _rebuilt(self, source: Source, row: int, span: bytes) -> bytes:
        """One sample under its new name; b"" if it is broken."""
        task = self.task
        uid = format_uids(task.uids[row : row + 1])[0]
        key = bytes(task.keys[row]).decode(errors="surrogateescape")
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
                self.broken[uid] = (
                    f"{task.names[int(task.shards[row])]}, sample {printable(key)}: {error}"
                )
                return b""
        return put_together(pieces, f"{uid}-{int(task.copies[row])}")


def _say_broken(task: ShardTask, work: _Work) -> str:
    uid, why = next(iter(work.broken.items()))
    return (
        f"{NAME_FORMAT.format(task.number)}: {work.n_broken:,} of {len(task.uids):,} samples have "
        f"faces that cannot be dealt with, the first one {uid} ({why}). Leave them out of the "
        "subset, or pass --on-error skip."
    )
