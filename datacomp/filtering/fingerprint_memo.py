"""Digests of pool files that were read before, so that planning again reads nothing.

    scores/fingerprints/<pool, 16 hex>.jsonl    a line per file and thing digested

A digest holds for a file of the same path, size and stamp. Processes append without asking each
other; a line torn by a power cut is passed over. The file may be deleted at any time.
"""

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from datacomp.files import canonical_json, sha256_json
from datacomp.pool.folder import File

_FORMAT = "datacomp-digests/1"
_Key = tuple[str, int, str, str]

YOUNG_SECONDS = 2.0
"""Clocks of file systems tick as slowly as this; a younger file may change under its stamp."""


@dataclass(frozen=True)
class DigestMemo:
    """The digests of one pool's files: in memory, and in a file of the score store."""

    path: Path
    digests: dict[_Key, str]
    is_local: bool

    @classmethod
    def load(cls, store_root: Path, url: str, local: Path | None) -> "DigestMemo":
        """What is remembered of the pool at `url`, a folder `local` to this machine or None."""
        place = str(local.resolve()) if local else url
        name = f"{sha256_json([_FORMAT, place])[:16]}.jsonl"
        path = store_root / "fingerprints" / name
        return cls(path, _read(path), local is not None)

    def get(self, file: File, what: str) -> str | None:
        """The digest of `what` in a file as it is now; None if it must be read."""
        return self.digests.get((file.path, file.size, file.stamp, what))

    def add(self, file: File, what: str, digest: str) -> None:
        """Remember a digest, beyond this process if the file's stamp can be relied on."""
        self.digests[file.path, file.size, file.stamp, what] = digest
        if not file.stamp or (self.is_local and _age_seconds(file) < YOUNG_SECONDS):
            return
        line = canonical_json([file.path, file.size, file.stamp, what, digest])
        # Whoever may not write to the store may still plan, reading everything each time.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _append(self.path, line)


def _age_seconds(file: File) -> float:
    return (time.time_ns() - int(file.stamp)) / 1e9


def _append(path: Path, line: bytes) -> None:
    """One write, so that lines do not mix; a torn line before it ends at the first newline."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, b"\n" + line + b"\n")
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[_Key, str]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    digests = {}
    for line in lines:
        try:
            file, size, stamp, what, digest = json.loads(line)
            digests[file, size, stamp, what] = digest
        except (ValueError, TypeError):
            continue
    return digests
