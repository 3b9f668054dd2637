"""Pools for benchmarks: random uids and scores in DataComp columns; no pictures."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.pool import Pool, open_pool

ROWS_PER_PART = 500_000


def metadata_pool(folder: Path, rows: int, seed: int = 0) -> Pool:
    """Write a pool of so many rows, in parts as large as DataComp's, and open it."""
    (folder / "metadata").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for part, start in enumerate(range(0, rows, ROWS_PER_PART)):
        n = min(ROWS_PER_PART, rows - start)
        raw = rng.bytes(16 * n).hex()
        offsets = pa.py_buffer(np.arange(0, 32 * n + 1, 32, dtype=np.int32))
        uids = pa.StringArray.from_buffers(n, offsets, pa.py_buffer(raw.encode()))
        scores = rng.normal(0.2, 0.06, n).astype(np.float32)
        table = pa.table(
            {
                "uid": uids,
                "clip_b32_similarity_score": scores,
                "clip_l14_similarity_score": np.roll(scores, 1),
            }
        )
        pq.write_table(table, folder / "metadata" / f"{part:04d}.parquet")
    return open_pool(str(folder))
