"""Hashes of large files, remembered beside the features, so that no file is read twice for them."""

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from datacomp.errors import EvaluationError
from datacomp.files import sha256_file, sha256_json, write_json

# A file that changed this recently could change again without a new time; its hash is not kept.
SETTLED_SECONDS = 2.0


class FileHashes:
    """Hex sha256 of files. One of the same path, size and times of change is not read again.

    Two times: `touch`, `cp -p` and `rsync -t` set one of them and cannot set the other. What is
    known stands in `<folder>/<hash of the file's folder>.json`, for other processes and later runs;
    a damaged note is written anew, and one that cannot be written is done without.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, list[Any]] = {}

    def __call__(self, path: Path) -> str:
        """The hash of the file at `path`; `EvaluationError` if it cannot be read."""
        try:
            return self._hash(path.resolve())
        except OSError as error:
            raise EvaluationError(f"cannot read {path}: {error.strerror}") from error

    def _hash(self, path: Path) -> str:
        status = path.stat()
        state = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        known = self._known.get(path) or self._noted(path.parent).get(path.name)
        if known is None or known[:-1] != state:
            known = [*state, sha256_file(path)]
            if time.time() - max(status.st_mtime, status.st_ctime) > SETTLED_SECONDS:
                with suppress(OSError):
                    notes = {**self._noted(path.parent), path.name: known}
                    write_json(self._note(path.parent), notes)
        self._known[path] = known
        return str(known[-1])

    def _note(self, parent: Path) -> Path:
        return self.folder / f"{sha256_json(str(parent))[:16]}.json"

    def _noted(self, parent: Path) -> dict[str, list[Any]]:
        try:
            notes = json.loads(self._note(parent).read_bytes())
            return {name: [*entry[:-1], str(entry[-1])] for name, entry in notes.items()}
        except (OSError, ValueError, AttributeError, TypeError, IndexError):
            return {}
