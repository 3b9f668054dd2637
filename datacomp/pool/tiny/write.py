"""The files of a pool as DataComp and img2dataset write them; no time of day is in them."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.files import atomic_open, write_bytes
from datacomp.pool.pool import METADATA, SHARDS, TRUTH
from datacomp.pool.schema import SCHEMA, SCORE_COLUMNS
from datacomp.pool.tiny.plan import Row

LABEL = pa.field(
    "label", pa.string(), metadata={"meaning": "name of what the picture shows: its class"}
)
# Any fixed moment will do; this one is on the golden shards of the original, too.
_MTIME = 1_700_000_000
_NOT_FOUND = "HTTP Error 404: Not Found"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row with its picture's bytes and their size in pixels."""

    row: Row
    image: bytes
    width: int
    height: int

    @property
    def sha256(self) -> str:
        """Of the picture's bytes."""
        return hashlib.sha256(self.image).hexdigest()


def url_of(row: Row) -> str:
    """Where the picture would have been found; the domain is one that nobody can own."""
    return f"https://img{row.number % 7}.example.org/{row.uid[:2]}/{row.uid[2:12]}.jpg"


def write_shard(folder: Path, shard: int, drawn: Sequence[Drawn]) -> None:
    """Write `shards/<shard>.tar` and its stats; dead rows are counted and left out."""
    with (
        atomic_open(folder / SHARDS / f"{shard:08d}.tar") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for place, item in enumerate(drawn):
            if not item.row.dead:
                _add_sample(tar, f"{shard:08d}{place:03d}", item)
    dead = sum(item.row.dead for item in drawn)
    status = {"success": len(drawn) - dead} | ({_NOT_FOUND: dead} if dead else {})
    stats = {
        "count": len(drawn),
        "successes": len(drawn) - dead,
        "failed_to_download": dead,
        "failed_to_resize": 0,
        "duration": 1.0,
        "start_time": 0.0,
        "end_time": 1.0,
        "status_dict": status,
    }
    text = json.dumps(stats, indent=4)
    write_bytes(folder / SHARDS / f"{shard:08d}_stats.json", text.encode())


def write_metadata(
    folder: Path,
    name: str,
    rows: Sequence[Row],
    sha256: Sequence[str],
    scores: Mapping[str, npt.NDArray[Any]],
    labels: Sequence[str] = (),
) -> None:
    """Write `metadata/<name>.parquet` and `truth/<name>.parquet`.

    Without scores there are no columns of them, without labels no column `label`.
    """
    uids = [row.uid for row in rows]
    columns: dict[str, Any] = {
        "uid": uids,
        "url": [url_of(row) for row in rows],
        "text": [row.caption for row in rows],
        "original_width": [row.width for row in rows],
        "original_height": [row.height for row in rows],
        **scores,
        "face_bboxes": [[] for _ in rows],
        "sha256": sha256,
    }
    schema = pa.schema(
        [field for field in SCHEMA if field.name not in SCORE_COLUMNS or field.name in scores]
    )
    if labels:
        columns[LABEL.name] = labels
        schema = schema.append(LABEL)
    _write_parquet(folder / METADATA / f"{name}.parquet", pa.table(columns, schema=schema))
    truth = pa.table({"uid": uids, "truth_kind": [row.kind for row in rows]})
    _write_parquet(folder / TRUTH / f"{name}.parquet", truth)


def write_features(folder: Path, name: str, features: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write `metadata/<name>.npz`."""
    arrays: dict[str, Any] = {key: np.asarray(value, np.float16) for key, value in features.items()}
    with atomic_open(folder / METADATA / f"{name}.npz") as file:
        np.savez(file, **arrays)


def _write_parquet(path: Path, table: pa.Table) -> None:
    with atomic_open(path) as file:
        pq.write_table(table, file)


def _add_sample(tar: tarfile.TarFile, key: str, item: Drawn) -> None:
    row = item.row
    meta: dict[str, Any] = {
        "uid": row.uid,
        "face_bboxes": [],
        "caption": row.caption,
        "url": url_of(row),
        "key": key,
        "status": "success",
        "error_message": None,
        "width": item.width,
        "height": item.height,
        "original_width": row.width,
        "original_height": row.height,
        "exif": "{}",
        "sha256": item.sha256,
    }
    for suffix, data in (
        ("jpg", item.image),
        ("json", json.dumps(meta, indent=4).encode()),
        ("txt", row.caption.encode()),
    ):
        info = tarfile.TarInfo(f"{key}.{suffix}")
        info.size, info.mtime, info.mode = len(data), _MTIME, 0o444
        info.uname = info.gname = "bigdata"
        tar.addfile(info, io.BytesIO(data))
