"""Where the bytes of a shard go: to the file, and into a sha256 if asked for, each in a thread.

The threads run beside whoever makes the bytes. Writing to the disk begins while bytes still come,
so that there is less to wait for at the end.
"""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import numpy as np
import numpy.typing as npt

# Few and small: memory that was not touched before costs more than the copying.
BATCHES_AHEAD, BYTES_AHEAD = 4, 32 * 1024 * 1024
FLUSH_BYTES = 8 * 1024 * 1024

Bytes = npt.NDArray[np.uint8]


class Sink:
    """Takes a file's bytes in batches; holds whoever makes them back when it is far behind."""

    def __init__(self, file: IO[bytes], *, sha256: bool) -> None:
        self.size = 0
        self._file = file
        self._sha256 = hashlib.sha256() if sha256 else None
        self._writing, self._hashing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._pending: list[tuple[int, list[Future[Any]]]] = []
        self._written = self._flushed = 0

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None:
        for thread in (self._writing, self._hashing):
            thread.shutdown(cancel_futures=True)

    def put(self, data: Bytes) -> None:
        """Take `data`, which must not change before `BATCHES_AHEAD` more were put."""
        self._wait(BATCHES_AHEAD - 1, max(BYTES_AHEAD - len(data), 0))
        jobs = [self._writing.submit(self._write, data)]
        if self._sha256 is not None:
            jobs.append(self._hashing.submit(self._sha256.update, data.data))
        self._pending.append((len(data), jobs))
        self.size += len(data)

    def finish(self) -> str | None:
        """The hex sha256 if asked for, once all is written; `OSError` if it could not be."""
        self._wait(0, 0)
        return self._sha256.hexdigest() if self._sha256 is not None else None

    def _wait(self, batches: int, size: int) -> None:
        """Until at most so many batches, and bytes, are ahead."""
        while len(self._pending) > batches or sum(n for n, _ in self._pending) > size:
            for job in self._pending.pop(0)[1]:
                job.result()

    def _write(self, data: Bytes) -> None:
        self._written += self._file.write(data.data)
        size = self._written - self._flushed
        if size >= FLUSH_BYTES and hasattr(os, "posix_fadvise"):
            # Of bytes that are not on the disk yet, this starts the writing and does not wait.
            self._file.flush()
            os.posix_fadvise(self._file.fileno(), self._flushed, size, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written
