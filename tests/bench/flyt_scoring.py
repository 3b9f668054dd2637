"""FLYT's scores of a pool, from its npz files to the score store, and the memory it takes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench import Bench, PeakBench

from datacomp.filtering import Filter, LocalExecutor, filter_class, filter_from_params, scored
from datacomp.filtering.fitting import compute_fits
from datacomp.pool import Pool, open_pool
from datacomp.progress import NoProgress

ROWS_PER_PART = 10_000
TRAINING = {"training_steps": 1, "upstream_batch": 64, "downstream_batch": 64, "warmup_steps": 0}

RUN = """
import resource, sys
from pathlib import Path
from datacomp.filtering import filter_class, filter_from_params, scored
from datacomp.pool import open_pool
params = {"downstream": sys.argv[2], **eval(sys.argv[3])}
chosen = filter_from_params(filter_class("flyt"), params)
with scored(chosen, open_pool(sys.argv[1]), Path(sys.argv[4])):
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def benches(folder: Path) -> Iterator[Bench | PeakBench]:
    """One core; a head of one step, stored before; 64 dimensions, then those of CLIP ViT-B/32."""
    for width, parts in ((64, 8), (512, 2)):
        here = folder / str(width)
        trusted = embedded(here / "trusted", width, parts=1).url
        pool = embedded(here / "pool", width, parts)
        params = {**TRAINING, "downstream": trusted, "train_rows": 5000}
        chosen = filter_from_params(filter_class("flyt"), params)
        yield Bench(
            f"flyt_score, {pool.n_rows:,} rows of {width} + {width}",
            "read and convert",
            scores(chosen, pool, here),
            lambda pool=pool: read(pool),
        )
    small, large = (embedded(folder / f"m{n}", 512, n) for n in (2, 12))
    yield PeakBench(
        f"peak memory at {large.n_rows:,} rows",
        f"peak at {small.n_rows:,} rows",
        lambda: peak(large, trusted, folder),
        lambda: peak(small, trusted, folder),
    )


def scores(chosen: Filter, pool: Pool, folder: Path) -> Callable[[], None]:
    """Score the pool with the head that is trained now, each time into a store without scores."""
    stores = (folder / f"scores{number}" for number in count())
    compute_fits(chosen, pool, folder / "fitted", LocalExecutor(), NoProgress())

    def run() -> None:
        store = next(stores)
        store.mkdir()
        (store / "fits").symlink_to(folder / "fitted" / "fits")
        with scored(chosen, pool, store):
            pass

    return run


def read(pool: Pool) -> None:
    """Every embedding, in float32."""
    for part in pool.parts:
        for key in ("b32_img", "b32_txt"):
            pool.features(part, key).astype(np.float32)


def peak(pool: Pool, trusted: str, folder: Path) -> int:
    """Peak bytes of a process that trains a step on a sample, and scores a pool."""
    given = {**TRAINING, "train_rows": 5000}
    store = folder / f"peak{pool.n_rows}"
    command = [sys.executable, "-c", RUN, pool.url, trusted, repr(given), str(store)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def embedded(folder: Path, width: int, parts: int) -> Pool:
    """A pool of random embeddings, labelled at random."""
    (folder / "metadata").mkdir(parents=True)
    random = np.random.default_rng(0)
    for part in range(parts):
        uids = [f"{part:016x}{row:016x}" for row in range(ROWS_PER_PART)]
        labels = [f"class {row % 100}" for row in range(ROWS_PER_PART)]
        table = pa.table({"uid": uids, "label": labels})
        path = folder / "metadata" / f"{part:04d}.parquet"
        pq.write_table(table, path)
        images, texts = (
            random.normal(size=(ROWS_PER_PART, width)).astype(np.float16) for _ in range(2)
        )
        np.savez(path.with_suffix(".npz"), b32_img=images, b32_txt=texts)
    return open_pool(str(folder))
