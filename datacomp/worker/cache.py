"""Files by their content on this machine: what one job fetched or made, the next one finds."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from datacomp.errors import ServiceError
from datacomp.files import sha256_file

Fetch = Callable[[Path], None]
_PART = ".part"


class Cache:
    """A folder of files named by their sha256, at most about `max_bytes` of them.

    A file stands there whole or not at all. Those used longest ago go first.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._fetching = threading.Lock()

    def get(self, sha256: str, fetch: Fetch) -> Path:
        """The file of that content; `fetch` writes what is not here to the path that it is given.

        A path that holds a beginning is what an earlier call of `fetch` got; it may go on there.
        `ServiceError` if what came is another content.
        """
        path = self.folder / sha256
        with self._fetching:
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                part = self.folder / f"{sha256}{_PART}"
                fetch(part)
                if (found := sha256_file(part)) != sha256:
                    part.unlink()
                    raise ServiceError(f"asked for the file of sha256 {sha256}, got {found}")
                part.replace(path)
            os.utime(path)
        return path

    def keep(self, path: Path, sha256: str) -> None:
        """Have a file that was made here, and that nobody will write to any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(path, self.folder / sha256)

    def clear(self) -> None:
        """Remove all that nobody fetches just now."""
        for path in self.folder.glob("*"):
            if path.suffix != _PART:
                path.unlink(missing_ok=True)

    def prune(self) -> None:
        """Remove the files used longest ago until the rest fits."""
        known = []
        for path in self.folder.glob("*"):
            with suppress(FileNotFoundError):  # another job's: it has its whole name by now
                known.append((path, path.stat()))
        total = sum(stat.st_size for _, stat in known)
        for path, stat in sorted(known, key=lambda one: one[1].st_mtime):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size
