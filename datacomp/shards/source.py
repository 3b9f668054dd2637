"""The bytes of samples, read from the pool's shards to where they will stand in an output shard.

Local shards are read straight into place, neighbours by one call. Behind a URL, what lies close
together is fetched by one request, the bytes between thrown away.
"""

import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from datacomp.errors import PoolError
from datacomp.pool.folder import Folder
from datacomp.pool.tar import BLOCK

Longs = npt.NDArray[np.int64]

# A request to a store costs about what so many bytes cost.
REMOTE_GAP = 256 * 1024


class Source:
    """Shards of one pool, open one at a time; `names` are their file names."""

    def __init__(self, folder: Folder, names: tuple[str, ...]) -> None:
        self._folder, self._names = folder, names
        self._open: tuple[int, int] | None = None

    def path(self, shard: int) -> str:
        """The shard's path as a message names it."""
        return self._folder.full(f"shards/{self._names[shard]}")

    def fill(
        self, buffer: npt.NDArray[np.uint8], shards: Longs, offsets: Longs, sizes: Longs
    ) -> None:
        """Read the byte ranges one behind the other into `buffer`, whose size is their sum.

        Ranges stand in the order of shard and offset; one may be repeated. `PoolError` naming the
        shard that is gone or ends too early; the padding of its last member may be cut short.
        """
        gap = 0 if self._folder.local is not None else REMOTE_GAP
        ends, view = np.cumsum(sizes), buffer.data
        for first, last in _runs(shards, offsets, sizes, gap, in_place=gap == 0):
            shard, start = int(shards[first]), int(offsets[first])
            place, end = int(ends[first] - sizes[first]), int(ends[last])
            if gap == 0:
                self._read_into(view[place:end], shard, start)
                continue
            stop = int((offsets + sizes)[first : last + 1].max())
            run = self._fetch(shard, start, stop - start)
            for i in range(first, last + 1):
                at, size = int(offsets[i]) - start, int(sizes[i])
                buffer[int(ends[i]) - size : int(ends[i])] = run[at : at + size]

    def close(self) -> None:
        """Close the shard that is open."""
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _read_into(self, target: memoryview, shard: int, offset: int) -> None:
        try:
            if self._open is None or self._open[0] != shard:
                self.close()
                self._open = shard, os.open(self.path(shard), os.O_RDONLY)
            n = done = os.preadv(self._open[1], [target], offset)
            while n and done < len(target):
                n = os.preadv(self._open[1], [target[done:]], offset + done)
                done += n
        except OSError as error:
            raise self._unreadable(shard, error) from error
        if done < len(target):
            self._pad(np.frombuffer(target, np.uint8), done, shard)

    def _fetch(self, shard: int, offset: int, size: int) -> npt.NDArray[np.uint8]:
        try:
            data = self._folder.read_range(f"shards/{self._names[shard]}", offset, size)
        except OSError as error:
            raise self._unreadable(shard, error) from error
        target = np.empty(size, np.uint8)
        target[: len(data)] = np.frombuffer(data, np.uint8)
        self._pad(target, len(data), shard)
        return target

    def _pad(self, target: npt.NDArray[np.uint8], n: int, shard: int) -> None:
        if len(target) - n >= BLOCK:
            raise PoolError(
                f"{self.path(shard)} ends {len(target) - n:,} bytes before the end of a sample: it "
                f"is not the file that was indexed. Run: datacomp pool index {self._folder.url}"
            )
        target[n:] = 0

    def _unreadable(self, shard: int, error: OSError) -> PoolError:
        return PoolError(f"{self.path(shard)} cannot be read: {error}")


def _runs(
    shards: Longs, offsets: Longs, sizes: Longs, gap: int, *, in_place: bool
) -> Iterator[tuple[int, int]]:
    """First and last of each run of ranges that one read takes."""
    between = offsets[1:] - (offsets + sizes)[:-1]
    repeated = (offsets[1:] == offsets[:-1]) & (not in_place)
    close = (shards[1:] == shards[:-1]) & (((between >= 0) & (between <= gap)) | repeated)
    breaks = np.flatnonzero(~close)
    firsts = np.concatenate([[0], breaks + 1]).tolist()
    lasts = np.append(breaks, len(shards) - 1).tolist()
    return zip(firsts, lasts, strict=True)
