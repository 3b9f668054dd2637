"""Where artifacts lie: files named by their sha256, written once, never changed.

Files appear whole or not at all. A file that no row names (the process died between writing it
and committing) is harmless: the same content finds its place already taken, and `datacomp admin
gc` removes it after a day.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from datacomp.files import write_bytes
from datacomp_server.kit.errors import NotFound, Refused

SUFFIX = ".bin"
_HEX = frozenset("0123456789abcdef")


class ArtifactStore(Protocol):
    """Content-addressed files. A method that takes a sha256 raises `Refused` (code bad_hash) for
    what is none; one that reads raises `NotFound` for content that is not here.
    """

    def put_bytes(self, data: bytes) -> str:
        """Store `data`, durably; returns its hex sha256."""
        ...

    def put_file(self, path: Path, sha256: str) -> None:
        """Store a local file, durably, that was synced and found to have that hash; it stays."""
        ...

    def size(self, sha256: str) -> int:
        """Bytes of the content."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The content, open for reading and seeking; the caller closes it."""
        ...

    def read_bytes(self, sha256: str) -> bytes:
        """The whole content: for what is known to be small."""
        ...

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """A local file with the content, for as long as the context lasts; never write to it."""
        ...

    def names(self) -> Iterator[str]:
        """The hash of everything that is here."""
        ...

    def remove(self, sha256: str, *, put_before: datetime) -> bool:
        """Remove content that was last put before a moment; whether it was removed."""
        ...


class FolderStore:
    """Artifacts in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put_bytes(self, data: bytes) -> str:
        """Store `data`; returns its hex sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        if not _touch(path):
            write_bytes(path, data)
            _sync_folder(path.parent)
        return sha256

    def put_file(self, path: Path, sha256: str) -> None:
        """Give a synced file, on the same file system, its name in the store as well."""
        target = self._path(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _touch(target):
            try:
                os.link(path, target)
            except FileExistsError:
                _touch(target)
        _sync_folder(target.parent)

    def size(self, sha256: str) -> int:
        """Bytes of the content."""
        return self._found(sha256).stat().st_size

    def open(self, sha256: str) -> BinaryIO:
        """The content, open for reading."""
        return self._found(sha256).open("rb")

    def read_bytes(self, sha256: str) -> bytes:
        """The whole content."""
        return self._found(sha256).read_bytes()

    def local(self, sha256: str) -> AbstractContextManager[Path]:
        """The file itself."""
        return nullcontext(self._found(sha256))

    def names(self) -> Iterator[str]:
        """The hash of everything that is here."""
        return (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"??/*{SUFFIX}"))

    def remove(self, sha256: str, *, put_before: datetime) -> bool:
        """Remove the file, unless somebody puts the same content at this very moment.

        It is taken out of the way first: a `put` before that left its mark on the file, which is
        then put back; one after it finds nothing and writes its own.
        """
        path = self._path(sha256)
        aside = path.with_suffix(".removed")
        try:
            if _put_at(path) >= put_before:
                return False
            path.replace(aside)
        except FileNotFoundError:
            return False
        if (put_back := _put_at(aside) >= put_before) and not path.exists():
            aside.replace(path)
        else:
            aside.unlink()
        return not put_back

    def _found(self, sha256: str) -> Path:
        path = self._path(sha256)
        if not path.is_file():
            raise NotFound(f"no artifact has the sha256 {sha256}")
        return path

    def _path(self, sha256: str) -> Path:
        return self.folder / key_of(sha256)


def key_of(sha256: str) -> str:
    """The place of a content in a store, relative to its top; `Refused` for what is no sha256."""
    if len(sha256) != 64 or not set(sha256) <= _HEX:
        raise Refused(f"{sha256[:80]!r} is not a lower-case hex sha256", code="bad_hash")
    return f"{sha256[:2]}/{sha256}{SUFFIX}"


def _touch(path: Path) -> bool:
    """Mark the file as put just now, if it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _put_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
