"""A pool of a few rows in DataComp's files, and the real pool whose answers are known."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import FILTERS
from datacomp.pool import Pool, open_pool

MakePool = Callable[..., Pool]
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def golden_pool() -> Pool:
    """6,000 rows in 3 parts, with edge cases in every column."""
    return open_pool(str(GOLDEN / "pool"))


@pytest.fixture
def make_pool(tmp_path: Path) -> MakePool:
    """Write parts given as column dicts; uids count up over the parts unless given."""

    def make(*parts: dict[str, object], features: np.ndarray | None = None) -> Pool:
        folder = tmp_path / "pool"
        (folder / "metadata").mkdir(parents=True, exist_ok=True)
        row = 0
        for number, columns in enumerate(parts):
            n = len(next(iter(columns.values())))
            uids = [f"{uid:032x}" for uid in range(row, row + n)]
            table = pa.table({"uid": uids, **columns})
            pq.write_table(table, folder / "metadata" / f"{number:04d}.parquet")
            if features is not None:
                np.savez(folder / "metadata" / f"{number:04d}.npz", l14_img=features[row : row + n])
            row += n
        return open_pool(str(folder))

    return make


@pytest.fixture
def registered() -> Iterator[None]:
    """Filters registered by the test are forgotten after it."""
    known = FILTERS._known()
    before = dict(known)
    yield
    known.clear()
    known.update(before)
