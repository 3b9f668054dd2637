"""The pool whose answers are known, and pools of a few captions."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import FilterResult, filter_class, filter_from_words, run_filter
from datacomp.pool import Pool, open_pool

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden_pool() -> Pool:
    """6,000 rows in 3 parts, with edge cases in every column."""
    return open_pool(str(GOLDEN / "pool"))


@pytest.fixture
def captioned(tmp_path: Path) -> Callable[..., Pool]:
    """A pool of (caption, width, height) rows."""

    def make(*rows: tuple[str | None, int | None, int | None]) -> Pool:
        (tmp_path / "captioned").mkdir(exist_ok=True)
        texts, widths, heights = ([row[i] for row in rows] for i in range(3))
        table = pa.table(
            {
                "uid": [f"{n:032x}" for n in range(len(rows))],
                "text": pa.array(texts, pa.string()),
                "original_width": pa.array(widths, pa.int64()),
                "original_height": pa.array(heights, pa.int64()),
            }
        )
        pq.write_table(table, tmp_path / "captioned" / "0.parquet")
        return open_pool(str(tmp_path / "captioned"))

    return make


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FilterResult]:
    """Run a filter given as typed: run(pool, "clip_score fraction=0.3"); scores are shared."""
    store = tmp_path_factory.mktemp("scores")

    def run_words(pool: Pool, words: str) -> FilterResult:
        name, *parameters = words.split()
        return run_filter(filter_from_words(filter_class(name), parameters), pool, store)

    return run_words
