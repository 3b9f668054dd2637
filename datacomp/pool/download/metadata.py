"""The metadata of a pool: pinned once, fetched file by file, complete or missing, never half.

A file enters `metadata/` by a rename after it was verified. So a file that is there with the right
size is done, and a stop at any moment costs the files in flight.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import fsspec

from datacomp.errors import PoolError, UsageError
from datacomp.pool.download.hub_files import HubFile, difference
from datacomp.pool.download.record import MetadataFile, Record, read_record, write_record
from datacomp.pool.download.threads import in_threads
from datacomp.pool.folder import Folder
from datacomp.pool.indexing import StartProgress
from datacomp.pool.pool import METADATA, SHARDS


class Source(Protocol):
    """Where metadata comes from."""

    def listing(self) -> tuple[dict[str, Any], tuple[MetadataFile, ...]]:
        """What the record keeps of the source, and the files it has."""

    def is_recorded(self, source: Mapping[str, Any]) -> bool:
        """Whether a pool with this recorded source can be gone on with."""

    def is_inside(self, pool: Folder) -> bool:
        """Whether its files are the pool's own metadata: nothing to fetch, nothing to remove."""

    def fetch(self, file: MetadataFile, source: Mapping[str, Any], staging: Path) -> Path:
        """Put one verified file under `staging`; `PoolError` if that cannot be done."""


def pin(pool: Folder, source: Source, *, overwrite: bool) -> Record:
    """The pool's record: the one it has, or a new one, written before anything is fetched.

    `overwrite` asks the source again, and removes the metadata that is there. `UsageError` if the
    pool comes from elsewhere.
    """
    old = read_record(pool)
    if old is not None and not source.is_recorded(old.source):
        raise UsageError(
            f"{pool.url} was begun with {_told(old.source)}, not with {source}. Use another output "
            "folder, or the same source as before."
        )
    if overwrite and source.is_inside(pool):
        raise UsageError(f"{source} is the pool's own metadata: there is nothing to overwrite from")
    if old is not None and not overwrite:
        return old
    described, files = source.listing()
    if old is not None and old.files != files and pool.files(SHARDS, "_stats.json"):
        raise UsageError(
            f"the metadata at {source} is no longer what the shards in {pool.url} were made from "
            f"({_told(old.source)}). Use another output folder, or remove its shards first."
        )
    record = Record(described, files, old.images if old else None)
    if overwrite:
        for name in {file.name for file in (*files, *(old.files if old else ()))}:
            if pool.exists(f"{METADATA}/{name}"):
                pool.remove(f"{METADATA}/{name}")
    elif not source.is_inside(pool):
        _remove_wrong(pool, files)
    write_record(pool, record)
    return record


def wanted(record: Record, *, npz: bool) -> tuple[MetadataFile, ...]:
    """The files that the pool must have: Parquet always, features if asked for."""
    return tuple(file for file in record.files if npz or file.name.endswith(".parquet"))


def fetch_metadata(
    pool: Folder,
    source: Source,
    record: Record,
    files: tuple[MetadataFile, ...],
    staging: Path,
    progress: StartProgress,
) -> int:
    """Fetch what is missing, and say how many files were; the first failure ends it."""
    there = {file.name: file.size for file in pool.files(METADATA, "")}
    _refuse_strangers(pool, there, record)
    missing = [f for f in files if f.name not in there or not _is_size(f, there[f.name])]
    if not missing:
        return 0
    staging.mkdir(parents=True, exist_ok=True)
    done = len(files) - len(missing)
    with progress("metadata", len(files), done=done, unit="files") as bar:
        bar.advance(0)
        for file, path in in_threads(lambda f: source.fetch(f, record.source, staging), missing):
            publish(path, pool, f"{METADATA}/{file.name}")
            bar.advance(1, file.name)
    return len(missing)


def publish(path: Path, pool: Folder, to: str) -> None:
    """Move a finished local file or folder into the pool, whole; on a store, put it there."""
    if pool.local is None:
        fs, root = fsspec.url_to_fs(pool.url)
        full = f"{root.rstrip('/')}/{to}"
        fs.makedirs(full.rsplit("/", 1)[0], exist_ok=True)
        if path.is_dir() and fs.exists(full):
            fs.rm(full, recursive=True)
        fs.put(str(path), full, recursive=path.is_dir())
        return
    target = pool.local / to
    target.parent.mkdir(parents=True, exist_ok=True)
    for file in _files_in(path):
        _flush(file)
    if target.is_dir():
        shutil.rmtree(target)
    path.replace(target)


def _files_in(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else iter([path])


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_size(file: MetadataFile, size: int) -> bool:
    return file.adds_uid or size == file.size


def _remove_wrong(pool: Folder, files: tuple[MetadataFile, ...]) -> None:
    """Remove metadata of an earlier tool that is not what the source has; it is fetched again."""
    there = {file.name for file in pool.files(METADATA, "")}
    for file in files:
        if file.name not in there or file.adds_uid:
            continue
        told = HubFile(file.path, file.size, file.sha256)
        if pool.local is None or difference(pool.local / METADATA / file.name, told):
            pool.remove(f"{METADATA}/{file.name}")


def _refuse_strangers(pool: Folder, there: Mapping[str, int], record: Record) -> None:
    known = {file.name for file in record.files}
    strange = sorted(name for name in there if name.endswith(".parquet") and name not in known)
    if strange:
        raise PoolError(
            f"{pool.full(METADATA)} holds {len(strange):,} Parquet files that do not belong to "
            f"{_told(record.source)}: {', '.join(strange[:3])}. Use another output folder."
        )


def _told(source: Mapping[str, Any]) -> str:
    if source.get("kind") == "hub":
        return f"{source['repo']} at {source['revision']}"
    return f"the metadata in {source.get('url')}"
