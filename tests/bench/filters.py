"""The filters that read captions, from Parquet to a sorted subset, against bare fastText."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench import Bench

from datacomp.errors import require
from datacomp.filtering import filter_class, filter_from_params, run_filter
from datacomp.pool import Pool, open_pool
from datacomp_filters.language import FastTextLanguage

GOLDEN = Path(__file__).parents[1] / "golden"
CAPTIONS, PARTS = 60_000, 3


def benches(folder: Path) -> Iterator[Bench]:
    """One core each; nothing is stored beforehand."""
    pool = caption_pool(folder / "pool")
    bare = bare_fasttext(pool)
    stores = (folder / f"scores{number}" for number in count())
    ids = {"wordnet": str(GOLDEN / "wordnet")}
    ids["ids"] = str(GOLDEN / "wordnet" / "imagenet21k_wordnet_ids.txt")
    yield Bench("basic_filter", "bare fastText", runs("basic_filter", {}, pool, stores), bare)
    text_based = runs("text_based", ids, pool, stores)
    yield Bench("text_based, all", "bare fastText", text_based, bare)
    known = folder / "known"
    runs("basic_filter", {}, pool, iter([known]))()

    def stored() -> Iterator[Path]:
        for number in count():
            yield Path(shutil.copytree(known, folder / f"known{number}"))

    after = runs("text_based", ids, pool, stored())
    yield Bench("text_based, language stored", "bare fastText", after, bare)


def caption_pool(folder: Path) -> Pool:
    """Captions of the golden pool's words, in orders of their own, most of them different."""
    tables = [pq.read_table(path) for path in sorted((GOLDEN / "pool").glob("*.parquet"))]
    texts = [text for table in tables for text in table["text"].to_pylist() if len(text) < 500]
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for part in range(PARTS):
        n = CAPTIONS // PARTS
        words = [texts[i].split() for i in rng.integers(len(texts), size=n)]
        table = pa.table(
            {
                "uid": [f"{part:04x}{row:028x}" for row in range(n)],
                "text": [" ".join(rng.permutation(some)) for some in words],
                "original_width": rng.integers(100, 800, n),
                "original_height": rng.integers(100, 800, n),
            }
        )
        pq.write_table(table, folder / f"{part}.parquet")
    return open_pool(str(folder))


def bare_fasttext(pool: Pool) -> Callable[[], object]:
    """The model called on lines that are in memory, and nothing else."""
    (model,) = FastTextLanguage().assets()
    predict = require("fasttext", "language").load_model(str(model.path)).f.predict
    lines = [
        text + "\n" for part in pool.parts for text in pool.read(part, ["text"])["text"].to_pylist()
    ]
    return lambda: [predict(line, 1, 0.0, "strict") for line in lines]


def runs(
    name: str, params: dict[str, str], pool: Pool, stores: Iterator[Path]
) -> Callable[[], object]:
    """A run of a filter, each time with another store."""
    chosen = filter_from_params(filter_class(name), params)
    return lambda: run_filter(chosen, pool, next(stores)).subset
