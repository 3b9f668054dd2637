"""clip_score from Parquet to a sorted subset file."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
from bench import Bench
from pools import metadata_pool

from datacomp.filtering import filter_class, filter_from_params, run_filter

ROWS = 5_000_000


def benches(folder: Path) -> Iterator[Bench]:
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
