"""soft_cap by clocks: against rounds of the reference, and against reading what it reads."""

from collections.abc import Iterator
from pathlib import Path

from bench import Bench
from pools import metadata_pool

from datacomp.filtering import run_filter
from datacomp.filtering.tree import from_tree

ROWS = 1_000_000


def benches(folder: Path) -> Iterator[Bench]:
    """A million rows, as many draws, scores of a standard deviation of 2.5."""
    pool = metadata_pool(folder / "metadata", ROWS)
    column = "clip_l14_similarity_score"
    wide = {"fuse": "zscore", "of": [{"weight": w, "column": column} for w in (2.0, 0.5)]}

    def run(**params: object) -> None:
        tree = {"soft_cap": {"column": wide, **params}}
        run_filter(from_tree(tree), pool, folder / "scores").write(folder / "subset.npy")

    def read() -> None:
        for part in pool.parts:
            pool.read(part, [column])
            pool.uids(part)

    yield Bench(
        f"soft_cap by clocks, {ROWS:,} rows",
        "1,280 rounds",
        lambda: run(method="clocks"),
        run,
    )
    yield Bench(
        f"soft_cap by clocks, {ROWS:,} rows",
        "read uid and score, once",
        lambda: run(method="clocks"),
        read,
    )
