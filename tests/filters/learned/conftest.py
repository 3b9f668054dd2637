"""Pools of made-up embeddings in which CLIP score cannot see what is wrong, and a labelled set.

An embedding is 48 dimensions of meaning beside 16 of nuisance. 40% of the texts belong to other
images; in 60% of those, image and text share a strong nuisance part, as a picture and the caption
that is drawn into it do, so that their cosine is as high as a good pair's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import filter_class, filter_from_params, scored
from datacomp.pool import Pool, open_pool

MEANING, NUISANCE, CLASSES = 48, 16, 20


@dataclass(frozen=True)
class Planted:
    """A pool, whether each row's pair is good, and the labelled set's folder."""

    pool: Pool
    good: np.ndarray
    downstream: str
    columns: pa.Table

    def auroc(self, scores: np.ndarray) -> float:
        """How often a good pair scores above a bad one."""
        rank = np.empty(len(scores))
        rank[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
        n = int(self.good.sum())
        above = rank[self.good].sum() - n * (n + 1) / 2
        return float(above / (n * (len(scores) - n)))


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """6,000 rows in 3 parts, 5 of them without a direction."""
    folder = tmp_path_factory.mktemp("planted")
    random = np.random.default_rng(0)
    n = 6000
    centres = random.normal(size=(CLASSES, MEANING))
    meaning = centres[random.integers(CLASSES, size=n)] + 1.5 * random.normal(size=(n, MEANING))
    good = random.random(n) >= 0.4
    told = np.arange(n)
    told[~good] = random.permutation(told[~good])
    images, texts = (_embedded(meaning[rows], 1.5, random) for rows in (np.arange(n), told))
    shortcut = ~good & (random.random(n) < 0.6)
    images[shortcut, MEANING:] *= 5.5
    texts[shortcut, MEANING:] = images[shortcut, MEANING:]
    meant = _cosines(images[:, :MEANING], texts[:, :MEANING])
    columns = pa.table(
        {
            "clip_b32_similarity_score": _cosines(images, texts).astype(np.float32),
            "meant": 100 + 7 * (meant + 0.3 * random.normal(size=n)),
            "noise": random.normal(5, 0.01, n),
        }
    )
    images[[3, 2500]] = np.nan
    texts[[4, 5000, 5001]] = 0
    write_pool(folder / "pool", columns, images, texts, parts=3)
    labels = random.integers(CLASSES, size=1500)
    shown, named = (_embedded(centres[labels], noise, random) for noise in (2.5, 1.5))
    names = pa.table({"label": [f"class {label:02d}" for label in labels]})
    write_pool(folder / "trusted", names, shown, named, parts=2)
    return Planted(open_pool(str(folder / "pool")), good, str(folder / "trusted"), columns)


@pytest.fixture(scope="session")
def score(planted: Planted) -> Callable[..., np.ndarray]:
    """`score(name, params, store, pool=None, **for_scored)`: a filter's scores, NaN for null."""

    def score_(
        name: str, params: dict[str, Any], store: Path, pool: Pool | None = None, **given: Any
    ) -> np.ndarray:
        chosen = filter_from_params(
            filter_class(name), {"downstream": planted.downstream, **params}
        )
        with scored(chosen, pool or planted.pool, store, **given) as view:
            read = chosen.score().open(view)
            return np.concatenate([read(rows) for rows in view.parts()])

    return score_


@pytest.fixture(scope="session")
def recut(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """The planted pool with its rows backwards, in two parts."""
    folder = tmp_path_factory.mktemp("recut")
    pool = planted.pool
    tables = [pool.read(part, part.columns) for part in pool.parts]
    table = pa.concat_tables(tables)
    images, texts = (
        np.concatenate([pool.features(part, key) for part in pool.parts])[::-1]
        for key in ("b32_img", "b32_txt")
    )
    backwards = table.take(pa.array(np.arange(len(table))[::-1]))
    write_pool(folder / "pool", backwards, images, texts, parts=2)
    return open_pool(str(folder / "pool"))


@pytest.fixture
def write_scores(planted: Planted, tmp_path: Path) -> Callable[..., Pool]:
    """The planted embeddings with other score columns."""

    def write(columns: dict[str, np.ndarray]) -> Pool:
        images, texts = (
            np.concatenate([planted.pool.features(part, key) for part in planted.pool.parts])
            for key in ("b32_img", "b32_txt")
        )
        write_pool(tmp_path / "other", pa.table(columns), images, texts, parts=2)
        return open_pool(str(tmp_path / "other"))

    return write


def write_pool(
    folder: Path, columns: pa.Table, images: np.ndarray, texts: np.ndarray, parts: int
) -> None:
    """Write embeddings and columns as a pool; uids are made up unless they are given."""
    (folder / "metadata").mkdir(parents=True)
    if "uid" not in columns.column_names:
        golden = 0x9E3779B97F4A7C15F39CC0605CEDC835
        uids = [f"{row * golden % 2**128:032x}" for row in range(len(columns))]
        columns = columns.add_column(0, "uid", pa.array(uids))
    for number, rows in enumerate(np.array_split(np.arange(len(images)), parts)):
        path = folder / "metadata" / f"{number}.parquet"
        pq.write_table(columns.take(pa.array(rows)), path)
        np.savez(
            path.with_suffix(".npz"),
            b32_img=images[rows].astype(np.float16),
            b32_txt=texts[rows].astype(np.float16),
        )


def _embedded(meaning: np.ndarray, noise: float, random: np.random.Generator) -> np.ndarray:
    seen = meaning + noise * random.normal(size=meaning.shape)
    return np.concatenate([seen, random.normal(size=(len(meaning), NUISANCE))], 1)


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
