"""A candidate pool, opened: DataComp's own layout in a folder or behind an fsspec URL.

    metadata/*.parquet + *.npz   rows, and their features row by row
    shards/*.tar + *_stats.json  pictures and captions, as webdataset
    pool.json, index/            what `datacomp pool index` adds

A folder with Parquet files directly in it opens too: DataComp's metadata folder, a pool without
shards. Opening lists files and reads no row.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.errors import PoolError, SubsetError
from datacomp.pool.features import ONE_HEADER, read_feature
from datacomp.pool.folder import File, Folder
from datacomp.pool.manifest import Manifest, PartRecord, read_manifest
from datacomp.pool.samples import INDEX, SampleIndex, open_samples
from datacomp.pool.schema import UID
from datacomp.subset.uids import UidArray, parse_uids

METADATA, SHARDS, TRUTH = "metadata", "shards", "truth"


@dataclass(frozen=True)
class Part:
    """One metadata file; `name` is its stem, which its `.npz` shares."""

    name: str
    n_rows: int
    columns: tuple[str, ...]
    has_features: bool
    uids_sha256: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Pool:
    """The candidate pool. Parts come sorted by name; rows of a part in file order.

    `manifest` is None where the pool was not indexed, or changed since: then `stale` says how.
    """

    url: str
    folder: Folder
    metadata: str
    parts: tuple[Part, ...]
    shards: tuple[File, ...]
    manifest: Manifest | None
    stale: str | None = None

    @property
    def n_rows(self) -> int:
        """Rows of all parts."""
        return sum(part.n_rows for part in self.parts)

    def part(self, name: str) -> Part:
        """The part of that name; `PoolError` if there is none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise PoolError(f"pool {self.url} has no part {name!r}; it has {len(self.parts)} parts")

    def path(self, part: Part, suffix: str = ".parquet") -> str:
        """The part's file inside the folder."""
        return f"{self.metadata}/{part.name}{suffix}" if self.metadata else part.name + suffix

    def read(self, part: Part, columns: Sequence[str]) -> pa.Table:
        """Read columns of a part, in the order asked for; `PoolError` if it lacks one."""
        self._demand(part, columns)
        with _parquet(self.folder, self.path(part)) as file:
            return file.read(columns=list(columns)).select(list(columns))

    def batches(
        self, part: Part, columns: Sequence[str], rows: int = 65_536
    ) -> Iterator[pa.RecordBatch]:
        """Read columns of a part in row order, at most `rows` rows at a time."""
        self._demand(part, columns)
        with _parquet(self.folder, self.path(part)) as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                yield batch.select(list(columns))

    def features(self, part: Part, key: str) -> npt.NDArray[Any]:
        """The feature array `key` of a part, (n_rows, d), as stored: float16, not normalised.

        `PoolError` if there is no such array, or if it has another number of rows.
        """
        return read_feature(self.folder, self.path(part, ".npz"), key, part.n_rows)

    def uids(self, part: Part) -> UidArray:
        """The uids of a part in row order, from the index where there is one."""
        if part.uids_sha256 is not None and self.folder.local is not None:
            binary = self.folder.local / INDEX / "rows" / f"{part.uids_sha256}.npy"
            if binary.is_file():
                with ONE_HEADER:
                    return cast(UidArray, np.load(binary, mmap_mode="r", allow_pickle=False))
        try:
            return parse_uids(self.read(part, [UID]).column(0))
        except SubsetError as error:
            raise PoolError(f"{self.folder.full(self.path(part))}, {error}") from error

    def require_manifest(self) -> Manifest:
        """The manifest; `PoolError` with the remedy where there is none that fits the files."""
        if self.manifest is None:
            raise PoolError(
                f"pool {self.url} {self.stale or 'is not indexed'}. "
                f"Run: datacomp pool index {self.url}"
            )
        return self.manifest

    def samples(self) -> SampleIndex:
        """Random access to the shards; `PoolError` if there are none, or no index of them."""
        manifest = self.require_manifest()
        if not manifest.shards:
            raise PoolError(f"pool {self.url} has no shards, so it has metadata but no pictures")
        names = [f"{shard.name}.tar" for shard in manifest.shards]
        return open_samples(self.folder, manifest.index_id, names)

    @property
    def has_truth(self) -> bool:
        """Whether the pool records the kind of every row (the tiny pool does)."""
        return self.folder.exists(TRUTH)

    def truth(self) -> pa.Table:
        """Columns `uid` and `truth_kind` of all rows in part order: what the builder planted.

        It stands outside the metadata, so that no filter reads it by chance. A subset made with
        it is an oracle's and is marked as such. `PoolError` for pools of the world.
        """
        if not self.has_truth:
            raise PoolError(f"pool {self.url} has no truth: nobody knows what is noise in it")
        tables = []
        for part in self.parts:
            with _parquet(self.folder, f"{TRUTH}/{part.name}.parquet") as file:
                tables.append(file.read())
        return pa.concat_tables(tables)

    def _demand(self, part: Part, columns: Sequence[str]) -> None:
        for column in columns:
            if column not in part.columns:
                raise PoolError(
                    f"{self.folder.full(self.path(part))} has no column {column!r}. "
                    f"It has: {', '.join(part.columns)}"
                )


def open_pool(url: str) -> Pool:
    """Open the pool in a folder or at an fsspec URL.

    Raises `PoolError` if there is no metadata file, one lacks `uid`, or one cannot be read (unless
    the index recorded it as unreadable).
    """
    folder = Folder(str(url))
    metadata, files = find_metadata(folder)
    shards = folder.files(SHARDS, ".tar")
    manifest = read_manifest(folder)
    stale = _difference(manifest, files, shards) if manifest else None
    pool = Pool(str(url), folder, metadata, (), shards, None if stale else manifest, stale)
    npz = {file.stem for file in folder.files(metadata, ".npz")}
    if pool.manifest:
        return replace(pool, parts=tuple(_recorded(part) for part in pool.manifest.parts))
    return replace(pool, parts=tuple(_opened(folder, file, file.stem in npz) for file in files))


def find_metadata(folder: Folder) -> tuple[str, tuple[File, ...]]:
    """The metadata folder inside a pool and its Parquet files; `PoolError` if there is none."""
    for metadata in (METADATA, ""):
        if files := folder.files(metadata, ".parquet"):
            return metadata, files
    if not folder.exists(""):
        raise PoolError(
            f"no pool at {folder.url}: there is no such folder. Build the tiny one with datacomp "
            "pool build tiny, or name another with --pool or in datacomp.toml."
        )
    inside = [*folder.folders(""), *(file.name for file in folder.files("", ""))]
    raise PoolError(
        f"{folder.url} is not a pool: expected metadata/*.parquet or *.parquet in it, "
        f"found: {', '.join(inside[:8]) or 'nothing'}"
    )


@contextmanager
def _parquet(folder: Folder, path: str) -> Iterator[Any]:
    """Open a Parquet file; what it raises while it is read becomes a `PoolError` with the name."""
    try:
        with folder.open(path) as source, pq.ParquetFile(source) as file:
            yield file
    except FileNotFoundError as error:
        raise PoolError(f"{folder.full(path)} is gone since the pool was opened") from error
    except (OSError, pa.ArrowException) as error:
        raise PoolError(f"{folder.full(path)} cannot be read: {error}") from error


def _opened(folder: Folder, file: File, has_features: bool) -> Part:
    with _parquet(folder, file.path) as parquet:
        columns, n_rows = tuple(parquet.schema_arrow.names), parquet.metadata.num_rows
    if UID not in columns:
        raise PoolError(
            f"{folder.full(file.path)} has no column 'uid'. It has: {', '.join(columns)}"
        )
    return Part(file.stem, n_rows, columns, has_features)


def _recorded(part: PartRecord) -> Part:
    return Part(part.name, part.n_rows, tuple(part.columns), bool(part.features), part.uids_sha256)


def _difference(manifest: Manifest, files: Sequence[File], shards: Sequence[File]) -> str | None:
    """How the files differ from those that were indexed, or None."""
    for kind, there, recorded in (
        ("metadata file", files, manifest.parts),
        ("shard", shards, manifest.shards),
    ):
        sizes = {file.stem: file.size for file in there}
        known = {record.name: record.size for record in recorded}
        for name in sorted(sizes.keys() | known.keys()):
            if name not in known and name not in manifest.unreadable:
                return f"has a {kind} {name} that its index does not know"
            if name not in sizes:
                return f"lost the {kind} {name} since it was indexed"
            if name in known and sizes[name] != known[name]:
                return (
                    f"changed since it was indexed: {kind} {name} has {sizes[name]:,} bytes, "
                    f"had {known[name]:,}"
                )
    return None
