"""Work that several processes share: who holds the lock of a piece does it.

Locks are `flock` on files of the output folder. They end with their process, however that ends.
Between nodes they hold where the file system passes them on: NFS 3 and 4, GPFS and CephFS do,
Lustre when mounted with `flock`. Where there are none, every process does all the work, with the
same result.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from datacomp.errors import EvaluationError

POLL_SECONDS = 0.5

Piece = TypeVar("Piece")


@contextmanager
def claim(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this process holds the lock `path` in the block; with `wait` it comes to hold it.

    The file is there only while somebody holds it, or after a holder was killed.
    """
    handle = _lock(path, wait)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)
            os.close(handle)


def share(
    pieces: Sequence[Piece],
    lock_of: Callable[[Piece], Path],
    work: Callable[[Piece], None],
    idle: Callable[[Sequence[Piece]], None],
) -> None:
    """Do every piece, or see it done: `work` is called for each, once its lock is held.

    `work` looks first whether another process did the piece. `idle` is called with what is left
    each time that all of it is held by others.
    """
    left = list(pieces)
    while left:
        busy = []
        for piece in left:
            with claim(lock_of(piece)) as mine:
                if mine:
                    work(piece)
                else:
                    busy.append(piece)
        if len(busy) == len(left):
            idle(busy)
            time.sleep(POLL_SECONDS)
        left = busy


def _lock(path: Path, wait: bool) -> int | None:
    """The handle of the locked file, or None if another process holds it."""
    while True:
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            return handle  # a file system without locks
        if _is(path, handle):
            return handle
        os.close(handle)  # its holder removed it, and is done


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # For writing: NFS gives no exclusive lock on a file that is only read.
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise EvaluationError(
            f"cannot write into {path.parent}: {error.strerror}. Name another --output-dir"
        ) from error


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:  # removed; NFS says it of the handle too
        return False
