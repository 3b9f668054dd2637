"""A folder of files named by their sha256; written once, never changed.

Files appear whole or not at all. A file that no row names (the process died between writing it
and committing) is harmless: the same content finds its place already taken.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from datacomp.files import atomic_open
from datacomp_server.kit.errors import NotFound, Refused, TooLarge


class ArtifactStore:
    """Content-addressed files under one folder, each of at most `limit` bytes."""

    def __init__(self, folder: Path, *, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def put(self, chunks: Iterable[bytes], *, sha256: str, size: int) -> None:
        """Stream content to disk, holding it to its declared hash and size (bytes).

        `TooLarge` before anything is read if `size` is over the limit; `Refused` if the content
        is not what was declared. In both cases nothing stays behind.
        """
        if size > self.limit:
            raise TooLarge(f"an artifact of {size:,} bytes is over the limit of {self.limit:,}")
        path = self._path(sha256)
        if path.is_file():
            return
        with atomic_open(path) as file:
            digest, arrived = hashlib.sha256(), 0
            for chunk in chunks:
                arrived += len(chunk)
                if arrived > size:
                    raise Refused(f"more bytes came than the declared {size:,}", code="bad_size")
                digest.update(chunk)
                file.write(chunk)
            if arrived < size:
                raise Refused(f"{arrived:,} bytes came, {size:,} were declared", code="bad_size")
            if digest.hexdigest() != sha256:
                raise Refused(f"the content's sha256 is not {sha256}", code="bad_hash")

    def put_bytes(self, data: bytes) -> str:
        """Store `data`; returns its hex sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.put([data], sha256=sha256, size=len(data))
        return sha256

    def path(self, sha256: str) -> Path:
        """Where the content of that hash lies; `NotFound` if it is not here."""
        path = self._path(sha256)
        if not path.is_file():
            raise NotFound(f"no artifact has the sha256 {sha256}")
        return path

    def _path(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise Refused(f"{sha256!r} is not a hex sha256", code="bad_hash")
        return self.folder / sha256[:2] / f"{sha256}{os.extsep}bin"
