"""One folder, local or behind an fsspec URL: listed, read by ranges, written whole or not at all.

Paths are relative to the folder, with `/`. Knows nothing of pools.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import fsspec
from fsspec.implementations.local import LocalFileSystem

from datacomp.errors import MissingExtraError, PoolError
from datacomp.files import atomic_open

ReadAt = Callable[[int, int], bytes]
"""(offset, size) to at most `size` bytes; fewer only where the file ends."""

_STAMP_KEYS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


@dataclass(frozen=True, order=True)
class File:
    """One file of a listing; `stamp` changes when the file does, as far as the store can tell."""

    path: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        """The last piece of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return self.name.rsplit(".", 1)[0]


@dataclass(frozen=True)
class Folder:
    """A folder by path or URL; a plain value, so that it travels to other processes."""

    url: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        try:
            fs, root = fsspec.url_to_fs(self.url)
        except ImportError as error:
            raise MissingExtraError(f"cannot open {self.url}: {error}") from error
        except ValueError as error:
            raise PoolError(f"cannot open {self.url}: {error}") from error
        fs.invalidate_cache()
        return fs, root

    @property
    def local(self) -> Path | None:
        """The folder on this machine, or None where it is behind a URL."""
        fs, root = self._place
        return Path(root) if isinstance(fs, LocalFileSystem) else None

    def files(self, under: str, suffix: str) -> tuple[File, ...]:
        """The files `under` whose name ends with `suffix`, by name; hidden ones are left out.

        A folder that is not there has no files.
        """
        found = (file for file, is_file in self._entries(under) if is_file)
        return tuple(
            file for file in found if file.name.endswith(suffix) and not file.name.startswith(".")
        )

    def folders(self, under: str) -> tuple[str, ...]:
        """Names of the folders `under`, sorted."""
        return tuple(file.name for file, is_file in self._entries(under) if not is_file)

    def _entries(self, under: str) -> list[tuple[File, bool]]:
        """What is directly `under`, by name, and whether it is a file."""
        prefix = f"{under}/" if under else ""
        try:
            if self.local is not None:
                # Own listing, since fsspec's takes a link to a file for neither file nor folder.
                with os.scandir(self.full(under)) as entries:
                    return sorted(_local_entry(prefix, entry) for entry in entries)
            listing = self._place[0].ls(self.full(under), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        result = []
        for entry in listing:
            name = str(entry["name"]).rstrip("/").rsplit("/", 1)[-1]
            stamp = next((str(entry[key]) for key in _STAMP_KEYS if entry.get(key)), "")
            file = File(prefix + name, int(entry["size"] or 0), stamp)
            result.append((file, entry["type"] == "file"))
        return sorted(result)

    def full(self, path: str) -> str:
        """The path as the file system knows it."""
        root = self._place[1].rstrip("/")
        return f"{root}/{path}" if path else root

    def exists(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        return bool(self._place[0].exists(self.full(path)))

    def open(self, path: str) -> IO[bytes]:
        """Open a file for binary, seekable reading."""
        return cast(IO[bytes], self._place[0].open(self.full(path), "rb"))

    def read_bytes(self, path: str) -> bytes:
        """All bytes of a file; `FileNotFoundError` if there is none."""
        return bytes(self._place[0].cat_file(self.full(path)))

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer where the file ends; safe from many threads."""
        if self.local is None:
            return bytes(self._place[0].cat_file(self.full(path), start=offset, end=offset + size))
        # Opened each time: no descriptor to share, to leak, or to lose in a fork.
        descriptor = os.open(self.full(path), os.O_RDONLY)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)

    @contextmanager
    def reader(self, path: str) -> Iterator[ReadAt]:
        """Many reads of one file, mostly forwards, by one thread."""
        if self.local is not None:
            with open(self.full(path), "rb", buffering=0) as file:
                yield lambda offset, size: os.pread(file.fileno(), size, offset)
            return
        with self.open(path) as remote:

            def read_at(offset: int, size: int) -> bytes:
                remote.seek(offset)
                return remote.read(size)

            yield read_at

    @contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """Write a file that appears whole or not at all (remote stores put an object whole)."""
        if self.local is not None:
            with atomic_open(self.local / path) as file:
                yield file
            return
        buffer = io.BytesIO()
        yield buffer
        fs, _ = self._place
        fs.makedirs(self.full(path).rsplit("/", 1)[0], exist_ok=True)
        fs.pipe_file(self.full(path), buffer.getvalue())

    def remove(self, path: str) -> None:
        """Remove a file or a folder with all in it."""
        self._place[0].rm(self.full(path), recursive=True)


def _local_entry(prefix: str, entry: os.DirEntry[str]) -> tuple[File, bool]:
    try:
        stat = entry.stat()
    except OSError:
        # A link to nowhere is a file that cannot be read, which whoever reads it reports.
        return File(prefix + entry.name, 0, ""), True
    return File(prefix + entry.name, stat.st_size, str(stat.st_mtime_ns)), entry.is_file()
