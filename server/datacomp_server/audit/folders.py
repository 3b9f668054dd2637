"""A folder that appears whole or not at all, with a manifest of the hash of every file in it."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from datacomp.errors import UsageError
from datacomp.files import sha256_file, write_json

MANIFEST = "manifest.json"
EXPORT_SCHEMA = "datacomp-export/1"
"""The manifest's schema where the folder is an export."""
_PIECE = 1 << 20


class FolderWriter:
    """Writes files under `folder` and keeps the sha256 and size of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, dict[str, Any]] = {}

    def write(self, name: str, pieces: Iterable[bytes]) -> str:
        """Write a file from its pieces; returns its hex sha256."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
        self.files[name] = {"sha256": digest.hexdigest(), "size": size}
        return digest.hexdigest()

    def copy(self, name: str, source: BinaryIO) -> str:
        """Write a file from an open one; returns its hex sha256."""
        return self.write(name, iter(lambda: source.read(_PIECE), b""))

    def link(self, name: str, known: Path, sha256: str) -> bool:
        """Share a file of an older folder if it is there with that content; whether it is."""
        path = self.folder / name
        if not known.is_file() or sha256_file(known) != sha256:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(known, path)
        self.files[name] = {"sha256": sha256, "size": path.stat().st_size}
        return True


@contextmanager
def new_folder(
    target: Path, *, schema: str, private: bool
) -> Iterator[tuple[FolderWriter, dict[str, Any]]]:
    """A writer of files, and what the manifest says besides them; `target` appears at the end.

    `UsageError` if `target` is there already. On any exception nothing stays behind.
    """
    if target.exists():
        raise UsageError(f"{target} is there already: name a folder that is not")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        writer, facts = FolderWriter(made), dict[str, Any]()
        yield writer, facts
        files = dict(sorted(writer.files.items()))
        write_json(made / MANIFEST, {"schema": schema, **facts, "files": files})
        made.chmod(0o700 if private else 0o755)
        os.sync()
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def read_manifest(folder: Path, schema: str) -> dict[str, Any]:
    """The manifest of a folder; `UsageError` if there is none of that schema."""
    path = folder / MANIFEST
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict) or value.get("schema") != schema:
        found = value.get("schema") if isinstance(value, dict) else None
        raise UsageError(f"{path} is of schema {found!r}, expected {schema!r}")
    return value


def check_files(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """What is wrong with the files of a folder, as sentences; empty if all are as listed."""
    problems = []
    for name, facts in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif path.stat().st_size != facts["size"] or sha256_file(path) != facts["sha256"]:
            problems.append(f"{name} was changed")
    return problems
