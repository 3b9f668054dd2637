"""Toy rows as a pool on disk, in DataComp's files, so that the engine itself runs the filter."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from datacomp.filtering.conformance.toy_rows import ToyRows
from datacomp.pool import Pool, index_pool, open_pool
from datacomp.pool.pool import METADATA, SHARDS
from datacomp.pool.schema import UID


def write_pool(folder: Path, rows: ToyRows, parts: Sequence[int], *, images: bool) -> Pool:
    """Write rows as parts of so many rows each, with one shard if `images`; indexed and opened."""
    (folder / METADATA).mkdir(parents=True)
    start = 0
    for number, n in enumerate(parts):
        piece = rows.take(range(start, start + n))
        pq.write_table(piece.table, folder / METADATA / f"{number:04d}.parquet")
        if piece.features:
            arrays: dict[str, Any] = dict(piece.features)
            np.savez(folder / METADATA / f"{number:04d}.npz", **arrays)
        start += n
    if images:
        _write_shard(folder / SHARDS / "00000000.tar", rows)
        index_pool(str(folder))
    return open_pool(str(folder))


def _write_shard(path: Path, rows: ToyRows) -> None:
    path.parent.mkdir()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row, (uid, image) in enumerate(
            zip(rows.table[UID].to_pylist(), rows.images, strict=True)
        ):
            if image is not None:
                meta = json.dumps({"uid": uid}).encode()
                for suffix, data in (("jpg", image), ("json", meta), ("txt", b"a caption")):
                    member = tarfile.TarInfo(f"{row:08d}.{suffix}")
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
