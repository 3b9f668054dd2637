"""Artifacts in an object store that fsspec knows: `s3://bucket/prefix` with the extra `s3`.

Objects appear whole or not at all there. Credentials, region and endpoint are the client
library's own: the environment's AWS_* variables, or an instance's role.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from datacomp.errors import UsageError, require
from datacomp_server.artifacts.store import SUFFIX, key_of
from datacomp_server.kit.errors import NotFound

READ_AHEAD_BYTES = 8 * 1024 * 1024
COPY_PREFIX = ".copy-"
# What s3fs holds in memory while it sends or fetches; its own choice is 0.5 GB and more.
_S3_PARTS = {"chunksize": 32 * 1024 * 1024, "max_concurrency": 2}


class ObjectStore:
    """Artifacts under one prefix of an object store; `scratch` holds local copies meanwhile."""

    def __init__(self, url: str, scratch: Path) -> None:
        if url.startswith("s3://"):
            require("s3fs", "s3")
        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise UsageError(f"cannot keep artifacts at {url!r}: {error}") from error
        self._root = str(root).rstrip("/")
        self._parts = _S3_PARTS if url.startswith("s3://") else {}
        self.scratch = scratch

    def put_bytes(self, data: bytes) -> str:
        """Store `data`; returns its hex sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        self._files.pipe_file(self._key(sha256), data)
        return sha256

    def put_file(self, path: Path, sha256: str) -> None:
        """Send a local file, in parts if it is large."""
        self._files.put_file(str(path), self._key(sha256), **self._parts)

    def size(self, sha256: str) -> int:
        """Bytes of the content."""
        return int(self._info(sha256)["size"])

    def open(self, sha256: str) -> BinaryIO:
        """The content, open for reading; read ahead by 8 MiB."""
        self._info(sha256)
        opened = self._files.open(self._key(sha256), "rb", block_size=READ_AHEAD_BYTES)
        return cast(BinaryIO, opened)

    def read_bytes(self, sha256: str) -> bytes:
        """The whole content."""
        self._info(sha256)
        return cast(bytes, self._files.cat_file(self._key(sha256)))

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """A copy in the scratch folder, removed at the end."""
        self._info(sha256)
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=COPY_PREFIX, dir=self.scratch) as folder:
            path = Path(folder) / f"{sha256}{SUFFIX}"
            self._files.get_file(self._key(sha256), str(path), **self._parts)
            yield path

    def names(self) -> Iterator[str]:
        """The hash of everything that is here."""
        self._files.invalidate_cache()
        for key in self._files.find(self._root):
            if key.endswith(SUFFIX):
                yield key.rsplit("/", 1)[-1].removesuffix(SUFFIX)

    def remove(self, sha256: str, *, put_before: datetime) -> bool:
        """Remove the object, unless it was put again since."""
        try:
            modified = self._files.modified(self._key(sha256))
        except FileNotFoundError:
            return False
        if modified >= put_before:
            return False
        self._files.rm_file(self._key(sha256))
        return True

    def _info(self, sha256: str) -> dict[str, Any]:
        self._files.invalidate_cache()  # another process may have put it since
        try:
            return cast(dict[str, Any], self._files.info(self._key(sha256)))
        except FileNotFoundError:
            raise NotFound(f"no artifact has the sha256 {sha256}") from None

    def _key(self, sha256: str) -> str:
        return f"{self._root}/{key_of(sha256)}"
