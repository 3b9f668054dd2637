"""Which rows become which shard, and which shards are done.

As img2dataset numbers them: the metadata files in order of name, each cut into shards of
`shard_rows`, the last one of a file short. A shard is done when its `_stats.json`, written last,
says that it tried as many rows as the plan has.
"""

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.errors import PoolError
from datacomp.pool.download.options import FACES, ImageOptions
from datacomp.pool.download.record import MetadataFile
from datacomp.pool.folder import Folder
from datacomp.pool.pool import METADATA, SHARDS
from datacomp.pool.schema import TEXT, UID

READS_AT_ONCE = 16
SHARD_DIGITS = 8
OURS = "datacomp"
"""Key of what we add to img2dataset's `_stats.json`: bytes, hashes compared and mismatched."""


@dataclass(frozen=True)
class ShardTask:
    """`n_rows` rows of a metadata file from row `first`, to become shard `number`."""

    number: int
    path: str
    first: int
    n_rows: int

    @property
    def name(self) -> str:
        """The stem of the shard's files."""
        return f"{self.number:0{SHARD_DIGITS}d}"


def plan_shards(
    pool: Folder, files: Sequence[MetadataFile], images: ImageOptions
) -> tuple[ShardTask, ...]:
    """All shards of the pool; `PoolError` if a metadata file lacks a column that is needed."""
    paths = [f"{METADATA}/{file.name}" for file in files if file.name.endswith(".parquet")]
    with ThreadPoolExecutor(READS_AT_ONCE) as threads:
        counts = list(threads.map(lambda path: _count_rows(pool, path, images), paths))
    tasks: list[ShardTask] = []
    for path, n in zip(paths, counts, strict=True):
        for shard in range(math.ceil(n / images.shard_rows)):
            first = shard * images.shard_rows
            rows = min(images.shard_rows, n - first)
            tasks.append(ShardTask(len(tasks), path, first, rows))
    return tuple(tasks)


def read_stats(pool: Folder, tasks: Sequence[ShardTask]) -> dict[int, dict[str, Any]]:
    """The stats of the shards that are done; `PoolError` if the shards belong to another plan.

    Those of a shard that img2dataset wrote by itself get the size of its tar.
    """
    there = {file.name for file in pool.files(SHARDS, "_stats.json")}
    known = {f"{task.name}_stats.json" for task in tasks}
    if strange := sorted(there - known):
        raise PoolError(
            f"{pool.full(SHARDS)} holds {strange[0]}, but this metadata makes only "
            f"{len(tasks):,} shards. The shards belong to other metadata: use another folder."
        )
    candidates = [task for task in tasks if f"{task.name}_stats.json" in there]
    with ThreadPoolExecutor(READS_AT_ONCE) as threads:
        found = list(threads.map(lambda task: shard_stats(pool, task), candidates))
    tars = {file.stem: file.size for file in pool.files(SHARDS, ".tar")}
    return {
        task.number: {OURS: {"bytes": tars.get(task.name, 0)}, **stats}
        for task, stats in zip(candidates, found, strict=True)
        if stats is not None
    }


def shard_stats(pool: Folder, task: ShardTask) -> dict[str, Any] | None:
    """The stats of a shard that has a file of them; None if it is torn, as a kill of img2dataset
    itself may leave it."""
    path = f"{SHARDS}/{task.name}_stats.json"
    try:
        stats = json.loads(pool.read_bytes(path))
        count = stats["count"]
        stats["successes"], stats["status_dict"]
    except (ValueError, KeyError, TypeError):
        return None
    if count != task.n_rows:
        raise PoolError(
            f"{pool.full(path)} says {count!r} rows, this metadata gives the shard "
            f"{task.n_rows:,}. The shards belong to other metadata: use another folder."
        )
    return dict(stats)


def _count_rows(pool: Folder, path: str, images: ImageOptions) -> int:
    try:
        with pool.open(path) as file, pq.ParquetFile(file) as parquet:
            names, n = parquet.schema_arrow.names, int(parquet.metadata.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise PoolError(
            f"{pool.full(path)} cannot be read: {error}. Fetch it again: --overwrite-metadata"
        ) from error
    if missing := [name for name in (UID, "url", TEXT) if name not in names]:
        raise PoolError(
            f"{pool.full(path)} has no column {missing[0]!r}. It has: {', '.join(names)}. With "
            "--metadata-dir and another output folder, the copy there gets a column 'uid'."
        )
    if images.blur_faces and FACES not in names:
        raise PoolError(
            f"{pool.full(path)} has no column {FACES!r}, so faces cannot be blurred. Pass "
            "--skip-bbox-blurring if they need not be."
        )
    return n
