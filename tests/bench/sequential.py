"""Reading resharded tars in sequence, with decoding and without."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from bench import Bench

from datacomp.pool import open_pool
from datacomp.pool.samples import decode_image
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.shards import Layout, reshard
from datacomp.subset import format_uids
from datacomp.training import load_scale, whole_pool
from datacomp.training.sources import open_sources, parse_source
from datacomp.training.stream import SequentialData
from datacomp.training.transform import crop_numbers, train_pixels

PICTURES, SAMPLES_PER_SHARD = 2_000, 250
RECIPE = load_scale("tiny", "sequential")


def benches(folder: Path) -> Iterator[Bench]:
    """On the tars of a small tiny pool."""
    build_tiny(folder / "pool", TinyConfig(rows=PICTURES, dead_share=0.0))
    pool = open_pool(str(folder / "pool"))
    layout = Layout(samples_per_shard=SAMPLES_PER_SHARD)
    reshard(pool, whole_pool(pool), folder / "shards", layout=layout)
    yield windows_bench(folder / "shards")
    yield batches_bench(folder / "shards")


def windows_bench(folder: Path) -> Bench:
    """Every sample's bytes, window by window of all lanes, against reading the tars whole."""
    data = SequentialData(open_sources([parse_source(str(folder))]))
    source, mixture = data.sources[0].source, data.mixture(RECIPE, 0)
    steps, size = PICTURES // RECIPE.global_batch_size, RECIPE.global_batch_size
    keys = dict.fromkeys(row.key for step in range(steps) for row in mixture.rows(step, 0, size))

    def ours() -> None:
        for key in keys:
            for tar, first, last in mixture.orders[0].window(key).pieces():
                _, offsets = source.places(tar, first, last)
                source.read(tar, int(offsets[0]), int(offsets[-1] - offsets[0]))

    tars = sorted(folder.glob("*.tar"))
    return Bench(
        "read windows of lanes",
        "read the tars in sequence",
        ours,
        lambda: [tar.read_bytes() for tar in tars],
    )


def batches_bench(folder: Path) -> Bench:
    """An epoch's batches by one thread, against decoding and cropping as many in memory."""
    data = SequentialData(open_sources([parse_source(str(folder))]))
    recipe = replace(RECIPE, samples_seen=PICTURES)
    source, pictures = data.sources[0].source, []
    for number, tar in enumerate(source.tars):
        uids, offsets = source.places(number, 0, tar.n)
        for uid, (begin, end) in zip(format_uids(uids), pairwise(offsets.tolist()), strict=True):
            span = source.read(number, begin, end - begin)
            pictures.append(source.sample(number, uid, begin, span).image)
    numbers = crop_numbers(np.arange(PICTURES), 0)
    size, scale = recipe.image_size, recipe.crop_scale

    def limit() -> None:
        for picture, each in zip(pictures, numbers, strict=True):
            train_pixels(decode_image(picture), size, scale, each)

    return Bench(
        "batches of tars in sequence",
        "decode and crop in memory",
        lambda: list(data.batches(recipe, 0, 0, 1)),
        limit,
    )
