"""Reading samples, and training with them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from bench import Bench

from datacomp.pool import Pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training import load_scale, whole_pool
from datacomp.training.data import open_data
from datacomp.training.model import build_model, build_optimizer, build_tokenizer
from datacomp.training.transform import to_model_input

PICTURES = 2_000


def benches(folder: Path) -> Iterator[Bench]:
    """On a small tiny pool."""
    build_tiny(folder / "pictures", TinyConfig(rows=PICTURES))
    pictures = open_pool(str(folder / "pictures"))
    yield read_bench(pictures)
    yield training_bench(pictures)


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
