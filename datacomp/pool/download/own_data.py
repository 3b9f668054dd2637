"""Own data as the byod track takes it, one Parquet file of `url` and `caption`, as metadata.

The pool has one metadata file with the rows in their order and a uid for each, so that its id is
that of the list of pairs (`datacomp.pool.pairs`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.errors import PoolError
from datacomp.files import atomic_open, sha256_file
from datacomp.pool.download.record import MetadataFile
from datacomp.pool.folder import Folder
from datacomp.pool.pairs import COLUMNS, pair_uids
from datacomp.subset.uids import format_uids

_NAME = "own.parquet"
_SCHEMA = pa.schema([(name, pa.string()) for name in COLUMNS])
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class OwnData:
    """A file of pairs; a pool that was begun with it goes on with the same bytes only."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def is_recorded(self, source: Mapping[str, Any]) -> bool:
        """Whether a pool with this recorded source can be gone on with."""
        return source.get("kind") == "own" and source.get("sha256") == self._sha256()

    def is_inside(self, pool: Folder) -> bool:
        """Never: the pool's metadata have uids."""
        return False

    def listing(self) -> tuple[dict[str, Any], tuple[MetadataFile, ...]]:
        """One file; `PoolError` if it has not the columns."""
        try:
            with pq.ParquetFile(self.path) as file:
                names = file.schema_arrow.names
        except (OSError, pa.ArrowException) as error:
            raise PoolError(f"{self.path} cannot be read: {error}") from error
        if sorted(names) != ["caption", "url"]:
            raise PoolError(
                f"{self.path} has the columns {', '.join(names)}; own data has exactly url and "
                "caption, both strings"
            )
        sha256, size = self._sha256(), self.path.stat().st_size
        told = {"kind": "own", "url": str(self.path.resolve()), "sha256": sha256}
        return told, (MetadataFile(_NAME, str(self.path), size, sha256, adds_uid=True),)

    def fetch(self, file: MetadataFile, source: Mapping[str, Any], staging: Path) -> Path:
        """Write the metadata file into `staging`."""
        target = staging / file.name
        with (
            pq.ParquetFile(self.path) as own,
            atomic_open(target) as out,
            pq.ParquetWriter(out, _SCHEMA) as writer,
        ):
            for batch in own.iter_batches(_ROWS_AT_ONCE, columns=["url", "caption"]):
                pairs = [batch.column(name).to_pylist() for name in ("url", "caption")]
                uids = format_uids(pair_uids(*pairs))
                writer.write_table(
                    pa.table(dict(zip(COLUMNS, (uids, *pairs), strict=True)), _SCHEMA)
                )
        return target

    def _sha256(self) -> str:
        try:
            return sha256_file(self.path)
        except OSError as error:
            raise PoolError(f"{self.path} cannot be read: {error}") from error
