"""`download.json`: where a pool comes from, which files it must have, and how the download went.

Written before the first file is fetched and when a run ends. It pins the revision and the options
of the pool, so that a later start goes on with the same ones.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from datacomp.errors import PoolError, UsageError
from datacomp.pool.download.options import ImageOptions
from datacomp.pool.folder import Folder

FILE_NAME = "download.json"
FORMAT = 1


@dataclass(frozen=True, order=True)
class MetadataFile:
    """One file that the pool's `metadata/` must hold; `path` is its place at the source.

    `size` in bytes and `sha256` (None: not told) are the source's. `adds_uid`: the source has no
    column `uid`, the pool's copy gets one.
    """

    name: str
    path: str
    size: int
    sha256: str | None = None
    adds_uid: bool = False


@dataclass(frozen=True)
class Record:
    """What `download.json` holds; `images` is None until pictures were asked for."""

    source: Mapping[str, Any]
    files: tuple[MetadataFile, ...]
    images: Mapping[str, Any] | None = None
    summary: Mapping[str, Any] | None = None

    def demand(self, images: ImageOptions) -> None:
        """`UsageError` if the pool's shards were made with other options."""
        was = self.images or {}
        changes = [
            f"{key} {was[key]!r}, not {value!r}"
            for key, value in asdict(images).items()
            if key in was and was[key] != value
        ]
        if changes:
            raise UsageError(
                f"this pool was begun with {', '.join(changes)}: one pool holds one kind of "
                "pictures. Give the same options as before, or another output folder."
            )


def read_record(pool: Folder) -> Record | None:
    """The pool's record; None if there is none, `PoolError` if it cannot be understood."""
    try:
        raw = json.loads(pool.read_bytes(FILE_NAME))
        if raw["format"] != FORMAT:
            raise ValueError(f"format {raw['format']!r}, expected {FORMAT}")
        files = tuple(MetadataFile(**file) for file in raw["files"])
        return Record(raw["source"], files, raw["images"], raw["summary"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PoolError(
            f"{pool.full(FILE_NAME)} is no record of a download: {type(error).__name__}: {error}. "
            "Use another output folder, or remove the file: what was fetched is checked again."
        ) from error


def write_record(pool: Folder, record: Record) -> None:
    """Write the pool's `download.json`, whole or not at all."""
    value = {
        "format": FORMAT,
        "source": dict(record.source),
        "images": record.images,
        "summary": record.summary,
        "files": [asdict(file) for file in record.files],
    }
    with pool.create(FILE_NAME) as out:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        out.write(text.encode() + b"\n")
