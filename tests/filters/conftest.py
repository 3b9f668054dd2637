"""The pool whose answers are known, and pools of a few captions."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import Filter, FilterResult, filter_class, filter_from_words, run_filter
from datacomp.pool import Pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training import load_scale, train, whole_pool

GOLDEN = Path(__file__).parents[1] / "golden"
WORDNET, CLUSTERS = GOLDEN / "wordnet", GOLDEN / "clusters"
TEXT = f"wordnet={WORDNET} ids={WORDNET / 'imagenet21k_wordnet_ids.txt'}"
IMAGE = f"centroids={CLUSTERS / 'centroids_l14.npy'} target={CLUSTERS / 'target_in1k_l14.npy'}"
CONCEPTS, CLASSES = (
    f"{name}={GOLDEN / 'names.txt'} embeddings={CLUSTERS / 'centroids_l14.npy'}"
    for name in ("concepts", "classes")
)
ASSETS = {
    "text_based": TEXT,
    "text_based_sampling": TEXT,
    "image_based": IMAGE,
    "image_based_intersect_clip_score": f"arch=l14 fraction=0.3 {IMAGE}",
    "image_based_sampling": IMAGE,
    "metaclip": f"wordnet={WORDNET} t=50",
    "concept_frequency": f"{CONCEPTS} wordnet={WORDNET} search=joint min_similarity=0",
    "targeted_retrieval": f"{CLASSES} per_class=20",
}
"""What tests add to the name of a filter that needs assets: the few words, the made-up clusters."""


@pytest.fixture(autouse=True)
def _no_assets_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Assets come from the tests alone."""
    monkeypatch.delenv("DATACOMP_ASSETS", raising=False)
    monkeypatch.setenv("DATACOMP_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def golden_pool() -> Pool:
    """6,000 rows in 3 parts, with edge cases in every column."""
    return open_pool(str(GOLDEN / "pool"))


@pytest.fixture
def built() -> Callable[[str], Filter]:
    """A filter by name, with the parameters of its example, or with the tests' assets."""

    def build(name: str) -> Filter:
        kind = filter_class(name)
        return filter_from_words(kind, ASSETS.get(name, kind.example).split())

    return build


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
    """Run a filter given as typed: run(pool, "clip_score fraction=0.3"); scores are shared.

    A filter that needs assets is given the tests' own.
    """
    store = tmp_path_factory.mktemp("scores")

    def run_words(pool: Pool, words: str) -> FilterResult:
        name, *given = words.split()
        parameters = {word.partition("=")[0]: word for word in ASSETS.get(name, "").split()}
        parameters |= {word.partition("=")[0]: word for word in given}
        chosen = filter_from_words(filter_class(name), list(parameters.values()))
        return run_filter(chosen, pool, store)

    return run_words


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """A tiny pool of 100 rows with pictures, one of them a dead link."""
    folder = tmp_path_factory.mktemp("pools") / "pictured"
    build_tiny(folder, TinyConfig(rows=100, seed=3))
    return open_pool(str(folder))


@pytest.fixture(scope="session")
def clip_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The folder of a finished run, by seed: a CLIP of 32 dimensions, trained on clean pairs."""
    folder = tmp_path_factory.mktemp("trusted")
    mix = {"clean": 1.0}
    build_tiny(folder / "pool", TinyConfig(rows=64, seed=1, mix=mix, split="teacher"))
    pool = open_pool(str(folder / "pool"))
    recipe = replace(load_scale("smoke"), samples_seen=64, global_batch_size=32, warmup_steps=1)

    @cache
    def trained(seed: int) -> Path:
        run = folder / f"run{seed}"
        train(recipe, pool, whole_pool(pool), run, subset_name="trusted", seed=seed)
        return run

    return trained
