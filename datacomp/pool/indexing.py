"""Indexing a pool: every sample's place, every problem, and the pool's id.

Each finished shard is kept under `index/shards/` and used again while the tar's size and time stay,
so that an interrupted indexing goes on. The merged arrays stand in a folder named by their hash;
`pool.json` is written last and names it: an index is complete or it is the old one.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np

from datacomp.errors import PoolError
from datacomp.files import canonical_json
from datacomp.pool import shard_checks, shard_index
from datacomp.pool.folder import File, Folder
from datacomp.pool.manifest import (
    FILE_NAME,
    Manifest,
    Problem,
    ShardRecord,
    count_problems,
    first_of_each,
    pool_id,
    read_manifest,
    to_json,
)
from datacomp.pool.metadata_index import MetadataIndex, index_part, join_parts
from datacomp.pool.pool import SHARDS, find_metadata
from datacomp.pool.samples import INDEX, save_array, search_uids
from datacomp.pool.shard_index import ShardIndex
from datacomp.pool.shard_merge import MergedIndex, merge
from datacomp.progress import NoProgress, Progress

StartProgress = Callable[..., AbstractContextManager[Progress]]
"""`datacomp.progress.progress`, or a quiet one: (title, total, *, unit) to a context manager."""


@dataclass(frozen=True)
class IndexReport:
    """What indexing did; `problems` holds all of them, in order of file."""

    manifest: Manifest
    problems: tuple[Problem, ...]
    n_shards_reused: int
    seconds: float


@contextmanager
def silent(title: str, total: int, *, done: int = 0, unit: str = "rows") -> Iterator[Progress]:
    """Progress that tells nobody."""
    yield NoProgress()


def index_pool(
    url: str,
    *,
    verify_images: bool = False,
    workers: int = 1,
    sources: Sequence[Mapping[str, Any]] | None = None,
    origin: Mapping[str, Any] | None = None,
    progress: StartProgress = silent,
) -> IndexReport:
    """Index the pool at `url`: write `index/` and `pool.json`, the same bytes for the same pool.

    `sources` and `origin` say where the pool comes from; None keeps what `pool.json` said before.
    `verify_images` decodes every picture. Problems do not stop the indexing; `PoolError` is raised
    only where there is no pool at all.
    """
    began = time.monotonic()
    folder = Folder(str(url))
    metadata_folder, files = find_metadata(folder)
    shards, stats = folder.files(SHARDS, ".tar"), folder.files(SHARDS, "_stats.json")
    with progress("indexing", len(files) + len(shards), unit="files") as bar:
        scanned = []
        for file in files:
            scanned.append((file, index_part(folder, file)))
            bar.advance(1, file.name)
        metadata = join_parts(folder, scanned, folder.files(metadata_folder, ".npz"))
        indexes, reused = _index_shards(folder, shards, verify_images, workers, bar)
    merged = merge(indexes)
    problems = (
        *metadata.problems,
        *shard_checks.numbering_gaps(shards, stats),
        *(problem for index in indexes for problem in index.problems),
        *shard_checks.stats_problems(folder, shards, stats, [len(i.uids) for i in indexes]),
        *shard_checks.uid_problems(merged, [shard.path for shard in shards], metadata.uids),
    )
    old = _old_manifest(folder)
    manifest = replace(
        _manifest(metadata, shards, indexes, merged, problems),
        sources=tuple(sources if sources is not None else old.sources if old else ()),
        origin=dict(origin if origin is not None else old.origin if old else {}),
    )
    _write(folder, manifest, merged, problems)
    return IndexReport(manifest, problems, reused, time.monotonic() - began)


def _index_shards(
    folder: Folder, shards: Sequence[File], verify: bool, workers: int, bar: Progress
) -> tuple[list[ShardIndex], int]:
    """The index of every shard in order, and how many were kept from before."""
    indexes = {
        shard.path: shard_index.load(folder, shard, verify_images=verify) for shard in shards
    }
    todo = [shard for shard in shards if indexes[shard.path] is None]
    reused = len(shards) - len(todo)
    bar.advance(reused, f"{reused} shards kept")
    if workers == 1 or len(todo) < 2:
        for shard in todo:
            indexes[shard.path] = _index_and_keep(folder, shard, verify)
            bar.advance(1, shard.name)
    else:
        # Forked processes would inherit the locks of threads that they do not have.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes:
            futures = {processes.submit(_index_and_keep, folder, s, verify): s for s in todo}
            for future in as_completed(futures):
                indexes[futures[future].path] = future.result()
                bar.advance(1, futures[future].name)
    return [index for shard in shards if (index := indexes[shard.path]) is not None], reused


def _index_and_keep(folder: Folder, shard: File, verify: bool) -> ShardIndex:
    index = shard_index.index_shard(folder, shard, verify_images=verify)
    if index.was_read:
        shard_index.save(folder, shard, index, verify_images=verify)
    return index


def _manifest(
    metadata: MetadataIndex,
    shards: Sequence[File],
    indexes: Sequence[ShardIndex],
    merged: MergedIndex,
    problems: Sequence[Problem],
) -> Manifest:
    with_picture = search_uids(merged.uids, metadata.uids) >= 0
    return Manifest(
        pool_id=pool_id(metadata.parts),
        index_id=_index_id(merged, problems),
        n_rows=len(metadata.uids),
        n_samples=len(merged.uids),
        n_dead=int(np.count_nonzero(~with_picture)) if shards else 0,
        parts=metadata.parts,
        shards=tuple(
            ShardRecord(shard.stem, shard.size, len(index.uids))
            for shard, index in zip(shards, indexes, strict=True)
        ),
        problem_counts=count_problems(problems),
        problems=first_of_each(problems),
        unreadable=metadata.unreadable,
    )


def _index_id(merged: MergedIndex, problems: Sequence[Problem]) -> str:
    digest = hashlib.sha256()
    for array in merged.arrays().values():
        digest.update(array.dtype.str.encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.nbytes else b"")
    digest.update(canonical_json([asdict(problem) for problem in problems]))
    return digest.hexdigest()[:16]


def _write(
    folder: Folder, manifest: Manifest, merged: MergedIndex, problems: Sequence[Problem]
) -> None:
    home = f"{INDEX}/{manifest.index_id}"
    for name, array in merged.arrays().items():
        with folder.create(f"{home}/{name}.npy") as file:
            save_array(file, array)
    with folder.create(f"{home}/problems.jsonl") as file:
        for problem in problems:
            file.write(canonical_json(asdict(problem)) + b"\n")
    with folder.create(FILE_NAME) as file:
        text = json.dumps(to_json(manifest), indent=1, ensure_ascii=False)
        file.write(text.encode() + b"\n")
    _remove_old(folder, manifest)


def _remove_old(folder: Folder, manifest: Manifest) -> None:
    """Remove what no manifest names any more; only now, since the new one stands."""
    for name in folder.folders(INDEX):
        if name not in {"shards", "rows", manifest.index_id}:
            folder.remove(f"{INDEX}/{name}")
    rows = {part.uids_sha256 for part in manifest.parts}
    shards = {shard.name for shard in manifest.shards}
    for under, known in (("rows", rows), ("shards", shards)):
        for file in folder.files(f"{INDEX}/{under}", ""):
            if file.stem not in known:
                folder.remove(file.path)


def _old_manifest(folder: Folder) -> Manifest | None:
    try:
        return read_manifest(folder)
    except PoolError:
        return None
