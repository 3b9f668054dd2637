"""`make bench`: how close each hot path comes to a limit that is measured in the same run.

A ratio is the median over alternating rounds of the limit's time over ours: 1.00 is as fast as
the limit. Machines are noisy, so nothing is asserted and no seconds are shown.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.table import Table

from datacomp.filtering import filter_class, filter_from_params, run_filter
from datacomp.pool import Pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.subset import parse_uids
from datacomp.training import load_scale, whole_pool
from datacomp.training.data import open_data
from datacomp.training.model import build_model, build_optimizer, build_tokenizer
from datacomp.training.transform import to_model_input

ROUNDS = 5
METADATA_ROWS, PICTURES = 400_000, 2_000


@dataclass(frozen=True)
class Bench:
    """Something we do, and a limit that nothing in Python could beat by much."""

    name: str
    limit_name: str
    ours: Callable[[], object]
    limit: Callable[[], object]


def benches(folder: Path) -> Iterator[Bench]:
    """Every benchmark, with its inputs made in `folder`."""
    build_tiny(folder / "metadata", TinyConfig(rows=METADATA_ROWS, images=False))
    build_tiny(folder / "pictures", TinyConfig(rows=PICTURES))
    metadata, pictures = open_pool(str(folder / "metadata")), open_pool(str(folder / "pictures"))
    yield uids_bench(metadata)
    yield scan_bench(metadata, folder / "scores")
    yield read_bench(pictures)
    yield training_bench(pictures)


def uids_bench(pool: Pool) -> Bench:
    """Hexadecimal uids to 16 bytes, against copying the hexadecimal bytes."""
    column = pool.read(pool.parts[0], ["uid"])["uid"].combine_chunks()
    data = np.frombuffer(column.buffers()[2], np.uint8)
    return Bench("parse uids", "copy their bytes", lambda: parse_uids(column), data.copy)


def scan_bench(pool: Pool, store: Path) -> Bench:
    """clip_score from Parquet to a sorted subset, against decoding its two columns."""
    chosen = filter_from_params(filter_class("clip_score"), {"fraction": 0.3})
    files = [pool.folder.full(pool.path(part)) for part in pool.parts]

    def decode() -> list[pa.Table]:
        return [pq.read_table(f, columns=["uid", "clip_l14_similarity_score"]) for f in files]

    return Bench(
        "clip_score 30%", "decode uid and score", lambda: run_filter(chosen, pool, store), decode
    )


def read_bench(pool: Pool) -> Bench:
    """Every sample by uid in random order, against reading all shards from front to back."""
    samples = pool.samples()
    order = np.random.default_rng(0).permutation(len(samples))
    assert pool.folder.local is not None
    shards = [pool.folder.local / "shards" / name for name in samples.shards]
    return Bench(
        "read samples by uid",
        "read the tars in sequence",
        lambda: [samples.read(int(position)) for position in order],
        lambda: [shard.read_bytes() for shard in shards],
    )


def training_bench(pool: Pool) -> Bench:
    """Training steps with decoding, against the same steps on one batch that is there already."""
    torch.set_num_threads(1)
    recipe = load_scale("tiny")
    model = build_model(recipe).train()
    optimizer, tokenizer = build_optimizer(model, recipe), build_tokenizer(recipe)
    data = open_data(pool, whole_pool(pool))
    ready = next(data.batches(recipe, 0, recipe.steps - 1, 1))

    def step(pixels: np.ndarray, captions: tuple[str, ...]) -> None:
        out = model(to_model_input(torch.from_numpy(pixels)), tokenizer(captions))
        logits = out["logit_scale"] * out["image_features"] @ out["text_features"].T
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(captions)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def ours() -> None:
        for batch in data.batches(recipe, 0, recipe.steps - 6, 1):
            step(batch.pixels, batch.captions)

    def limit() -> None:
        for _ in range(6):
            step(ready.pixels, ready.captions)

    return Bench("train with loading", "train on a batch in memory", ours, limit)


def ratio(bench: Bench) -> list[float]:
    """Limit time over our time, a round each; one round before is not counted."""
    found = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        bench.limit()
        between = time.perf_counter()
        bench.ours()
        found.append((between - started) / (time.perf_counter() - between))
    return found[1:]


def main() -> None:
    """Run everything and print a table."""
    table = Table("what", "limit", "ratio", "lowest", "highest", box=None)
    with tempfile.TemporaryDirectory() as folder:
        for bench in benches(Path(folder)):
            ratios = ratio(bench)
            figures = (median(ratios), min(ratios), max(ratios))
            table.add_row(bench.name, bench.limit_name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
