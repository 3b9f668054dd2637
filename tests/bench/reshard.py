"""Resharding 30% of a pool, every member renamed, against copying a file of as many bytes.

Both remove what they wrote before, and end with an fsync of what they write; pool and copied file
are in the page cache. Ours, one worker, also finds the samples and checks every header.
"""

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench import Bench

from datacomp.pool import index_pool, open_pool
from datacomp.shards import reshard
from datacomp.subset import Subset, sample

SHARDS, SAMPLES, IMAGE_BYTES, FRACTION = 6, 4_000, 20_000, 0.3


def benches(folder: Path) -> Iterator[Bench]:
    """The benchmark, with its pool made in `folder`."""
    make_pool(folder / "pool")
    pool = open_pool(str(folder / "pool"))
    subset = sample(Subset.from_uids(pool.uids(pool.parts[0])), fraction=FRACTION, seed=0)
    source, target = folder / "bytes", folder / "copy"
    n_bytes = reshard(pool, subset, folder / "plan", dry_run=True).n_bytes
    source.write_bytes(np.random.default_rng(0).bytes(n_bytes))

    def ours(sha256: bool = False) -> None:
        reshard(pool, subset, folder / "out", overwrite=True, sha256=sha256)

    def limit() -> None:
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())

    yield Bench("reshard 30%, renamed", "cp and fsync of as many bytes", ours, limit)
    yield Bench(
        "the same with --sha256", "cp and fsync of as many bytes", lambda: ours(True), limit
    )


def make_pool(folder: Path) -> None:
    """Shards of noise in the place of pictures, with metadata that has uids alone."""
    rng, uids = np.random.default_rng(0), []
    noise = rng.bytes(4 * IMAGE_BYTES)
    for name in ("metadata", "shards"):
        (folder / name).mkdir(parents=True)
    for shard in range(SHARDS):
        with tarfile.open(folder / "shards" / f"{shard:08d}.tar", "w") as tar:
            for place in range(SAMPLES):
                uid, key = rng.bytes(16).hex(), f"{shard:05d}{place:04d}"
                uids.append(uid)
                start, size = rng.integers(0, 2 * IMAGE_BYTES), rng.integers(10_000, 30_000)
                meta = json.dumps({"uid": uid, "key": key, "caption": "noise " * 20})
                add(tar, f"{key}.jpg", noise[start : start + size])
                add(tar, f"{key}.json", meta.encode())
                add(tar, f"{key}.txt", b"noise of no particular kind")
    pq.write_table(pa.table({"uid": uids}), folder / "metadata" / "part.parquet")
    index_pool(str(folder))


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """One file into a tar."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
