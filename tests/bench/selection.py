"""clip_score from Parquet to a sorted subset file: its time and its memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from bench import Bench, PeakBench
from pools import metadata_pool

from datacomp.filtering import filter_class, filter_from_params, run_filter
from datacomp.pool import Pool

ROWS, MORE_ROWS = 5_000_000, 20_000_000

RUN = """
import resource, sys
from pathlib import Path
from datacomp.filtering import filter_class, filter_from_params, run_filter
from datacomp.pool import open_pool
chosen = filter_from_params(filter_class("clip_score"), {"fraction": 0.3})
run_filter(chosen, open_pool(sys.argv[1]), Path("scores")).write(Path("peak.npy"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def benches(folder: Path) -> Iterator[Bench | PeakBench]:
    """Against decoding uid and score, once, the way that Arrow does it fastest."""
    pool = metadata_pool(folder / "metadata", ROWS)
    files = [pool.folder.full(pool.path(part)) for part in pool.parts]
    columns = ["uid", "clip_l14_similarity_score"]

    def decode() -> None:
        for file in files:
            pq.read_table(file, columns=columns)

    def run(**params: object) -> None:
        chosen = filter_from_params(filter_class("clip_score"), params)
        run_filter(chosen, pool, folder / "scores").write(folder / "subset.npy")

    yield Bench(
        f"clip_score 30% of {ROWS:,} rows",
        "decode uid and score",
        lambda: run(fraction=0.3),
        decode,
    )
    yield Bench(
        "clip_score 30%, as DataComp",
        "decode uid and score",
        lambda: run(fraction=0.3, compat="datacomp"),
        decode,
    )
    more = metadata_pool(folder / "more", MORE_ROWS)
    yield PeakBench(
        f"peak memory at {MORE_ROWS:,} rows",
        f"peak at {ROWS:,} rows",
        lambda: peak(more, folder),
        lambda: peak(pool, folder),
    )


def peak(pool: Pool, folder: Path) -> int:
    """Peak bytes of a process that runs clip_score on a pool."""
    command = [sys.executable, "-c", RUN, pool.url]
    return int(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
