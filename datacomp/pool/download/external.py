"""Metadata that one has already: Parquet files in a folder or behind an fsspec URL.

Any files with columns `url` and `text` do. Rows without a `uid` get one made of both, see
`datacomp.pool.pairs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.errors import PoolError
from datacomp.files import atomic_open
from datacomp.pool.download.record import MetadataFile
from datacomp.pool.folder import Folder
from datacomp.pool.pairs import pair_uids
from datacomp.pool.pool import METADATA, find_metadata
from datacomp.pool.schema import TEXT, UID
from datacomp.subset.uids import format_uids


@dataclass(frozen=True)
class FolderSource:
    """A metadata folder, or a pool; `scale` is what the user calls it."""

    url: str
    scale: str | None = None

    @property
    def folder(self) -> Folder:
        """The folder with the Parquet files directly in it."""
        place = Folder(self.url)
        under, _ = find_metadata(place)
        return Folder(f"{self.url.rstrip('/')}/{under}") if under else place

    def is_recorded(self, source: Mapping[str, Any]) -> bool:
        """Whether a pool with this recorded source can be gone on with."""
        return source.get("kind") == "folder" and source.get("url") == self._name

    def is_inside(self, pool: Folder) -> bool:
        """Whether the folder is the pool's `metadata/`."""
        return self.folder.full("").rstrip("/") == pool.full(METADATA).rstrip("/")

    @property
    def _name(self) -> str:
        local = Folder(self.url).local
        return str(local) if local else self.url

    def __str__(self) -> str:
        return self.url

    def listing(self) -> tuple[dict[str, Any], tuple[MetadataFile, ...]]:
        """The Parquet and npz files with their sizes; `PoolError` if a needed column is not there.

        A local folder may link to files elsewhere: the sizes are those of the files.
        """
        folder = self.folder
        files = [
            MetadataFile(file.name, file.path, file.size, None, _lacks_uid(folder, file.path))
            for file in folder.files("", ".parquet")
        ]
        files += [MetadataFile(f.name, f.path, f.size) for f in folder.files("", ".npz")]
        return {"kind": "folder", "url": self._name, "scale": self.scale}, tuple(sorted(files))

    def fetch(self, file: MetadataFile, source: Mapping[str, Any], staging: Path) -> Path:
        """Copy one file into `staging`; `PoolError` if its size is not what was listed."""
        folder, target = self.folder, staging / file.name
        with folder.open(file.path) as data, atomic_open(target) as out:
            if file.adds_uid:
                _copy_with_uid(data, out)
                return target
            while piece := data.read(1 << 22):
                out.write(piece)
        if (size := target.stat().st_size) != file.size:
            raise PoolError(
                f"{folder.full(file.path)} had {file.size:,} bytes when it was listed, now "
                f"{size:,} came. Run the command again when nobody writes there."
            )
        return target


def make_uids(urls: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.Array:
    """One uid of 32 hex characters per row; a null counts as an empty string."""
    return pa.array(format_uids(pair_uids(urls.to_pylist(), texts.to_pylist())), pa.string())


def _lacks_uid(folder: Folder, path: str) -> bool:
    try:
        with folder.open(path) as file:
            names = pq.read_schema(file).names
    except (OSError, pa.ArrowException) as error:
        raise PoolError(f"{folder.full(path)} cannot be read: {error}") from error
    if missing := [name for name in ("url", TEXT) if name not in names]:
        raise PoolError(
            f"{folder.full(path)} has no column {missing[0]!r}, which a download needs. It has: "
            f"{', '.join(names)}. Rename the columns of the picture's address and of its caption."
        )
    return UID not in names


def _copy_with_uid(data: Any, out: Any) -> None:
    """Copy a Parquet file, row group by row group, with a column `uid` put first."""
    with pq.ParquetFile(data) as file:
        schema = file.schema_arrow.insert(0, pa.field(UID, pa.string()))
        with pq.ParquetWriter(out, schema) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                uids = make_uids(table.column("url"), table.column(TEXT))
                writer.write_table(table.add_column(0, schema.field(0), uids).cast(schema))
