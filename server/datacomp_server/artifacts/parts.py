"""Uploads on their way: one file each in a folder, written by one request at a time.

What the database says was received is what counts: a part is cut to that before more is written,
so that a process that dies between writing and committing leaves nothing behind.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from datacomp_server.kit.errors import Conflict

SUFFIX = ".part"


class Part:
    """The bytes of one upload, held until `close`; `Conflict` (upload_busy) if another holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise Conflict(
                "another request is writing to this upload; ask for what it received, and go on "
                "from there",
                code="upload_busy",
            ) from None

    def cut(self, received: int) -> int:
        """Drop what is beyond `received` bytes; returns what is there: less only after a loss."""
        there = min(received, os.fstat(self._handle).st_size)
        os.ftruncate(self._handle, there)
        os.lseek(self._handle, there, os.SEEK_SET)
        return there

    def write(self, data: bytes | bytearray) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        os.fsync(self._handle)

    def sha256(self) -> str:
        """Hex sha256 of the whole part, read in pieces."""
        with open(os.dup(self._handle), "rb") as file:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()

    def remove(self) -> None:
        """Remove the file; what was linked elsewhere stays there."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go; a process that ends does the same."""
        os.close(self._handle)

    def __enter__(self) -> "Part":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Parts:
    """The folder of all parts; on the file system of the artifacts, if those are in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hold(self, upload_id: str) -> Part:
        """The part of an upload, made if need be."""
        return Part(self.folder / f"{upload_id}{SUFFIX}")

    def ids(self) -> Iterator[str]:
        """The ids of every part that is here."""
        return (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))
