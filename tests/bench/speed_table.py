"""Training speed with each optimisation switched on in turn, as a Markdown table.

    python tests/bench/speed_table.py                      # a small transformer, on the CPU
    python tests/bench/speed_table.py --device cuda --scale small --decode-threads 16

Trains on webdataset shards that it makes on the spot: synthetic JPEGs of 256 pixels, captions of
the web's lengths. The batch is the scale's; where that does not fit, say --batch.
"""

import argparse
import io
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from datacomp.files import canonical_json
from datacomp.training import Recipe, load_scale
from datacomp.training.decoding import Batch
from datacomp.training.devices import one_thread
from datacomp.training.distributed import Ranks
from datacomp.training.feed import feed
from datacomp.training.model import build_model, build_optimizer, build_tokenizer
from datacomp.training.pace import Pace
from datacomp.training.sources import open_sources, parse_source
from datacomp.training.step import GradientStep
from datacomp.training.stream import SequentialData
from datacomp.training.towers import compile_blocks, recompute_blocks
from datacomp.training.transform import to_model_input

SIDE, ROWS_PER_SHARD, PICTURES = 256, 512, 512
# Of a caption of so many words on average, start and end tokens make about 16 tokens.
WORDS = 12
WARM_UP_STEPS = 3


@dataclass(frozen=True)
class Choices:
    """One row of the table."""

    name: str
    bf16: bool = False
    trimmed: bool = False
    ahead: bool = False
    compiled: bool = False
    recomputed: float = 0.0


def rows(device: str) -> Iterator[Choices]:
    """Each adds one choice to the row before; the last trades speed for memory."""
    row = Choices("float32, whole captions")
    yield row
    yield (row := replace(row, name="+ bfloat16 autocast", bf16=True))
    yield (row := replace(row, name="+ captions trimmed", trimmed=True))
    if device == "cuda":
        yield (row := replace(row, name="+ next batch copied ahead", ahead=True))
    yield (row := replace(row, name="+ torch.compile", compiled=True))
    yield replace(row, name="half of the blocks recomputed", recomputed=0.5)


def small_transformer() -> Recipe:
    """ViT-B/32 and its text tower with a quarter of the layers and half of the width."""
    recipe = load_scale("small", "sequential")
    vision = {"image_size": 224, "layers": 3, "width": 384, "patch_size": 32}
    text = {**recipe.model["text_cfg"], "width": 256, "heads": 4, "layers": 3}
    model = {**recipe.model, "vision_cfg": vision, "text_cfg": text}
    return replace(recipe, model=model, global_batch_size=32)


def make_shards(folder: Path, pairs: int) -> None:
    """Pictures with web-like detail (they repeat), and captions of their own."""
    random = np.random.default_rng(0)
    pictures = []
    for _ in range(min(pairs, PICTURES)):
        coarse = Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8))
        file = io.BytesIO()
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        pictures.append(file.getvalue())
    for first in range(0, pairs, ROWS_PER_SHARD):
        with tarfile.open(folder / f"{first // ROWS_PER_SHARD:08d}.tar", "w") as tar:
            for number in range(first, min(first + ROWS_PER_SHARD, pairs)):
                words = random.integers(0, 1000, 1 + random.geometric(1 / WORDS))
                members = {
                    "jpg": pictures[number % len(pictures)],
                    "txt": " ".join(f"a{word}" for word in words).encode(),
                    "json": canonical_json({"uid": uuid.UUID(int=number).hex}),
                }
                for kind, data in members.items():
                    entry = tarfile.TarInfo(f"{number:09d}.{kind}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))


def measure(
    recipe: Recipe, batches: Iterator[Batch], device: torch.device, choices: Choices, steps: int
) -> dict[str, float | None]:
    """Images a second, share of time without data, and MFU, of the steps after the warm-up."""
    recipe = replace(recipe, precision="amp_bf16" if choices.bf16 else "fp32")
    model = build_model(recipe).to(device, memory_format=torch.channels_last).train()
    recompute_blocks(model, choices.recomputed)
    if choices.compiled:
        compile_blocks(model)
    optimizer, tokenizer = build_optimizer(model, recipe), build_tokenizer(recipe)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=choices.bf16)
    gradients = GradientStep(model, Ranks(), None, autocast, trimmed=choices.trimmed)
    arrive = feed(batches, tokenizer, device if choices.ahead else torch.device("cpu"))
    pace = Pace(recipe, str(device), 1, 0)
    for step in range(WARM_UP_STEPS + steps):
        if step == WARM_UP_STEPS:
            _finish(device)
            pace.lap(0)
        with pace.waiting():
            batch = next(arrive)
        pixels = to_model_input(batch.pixels.to(device))
        gradients(pixels, batch.tokens.to(device), batch.lengths)
        pace.read(gradients.tokens_read(batch.lengths), len(batch.lengths))
        optimizer.step()
    _finish(device)
    return pace.lap(steps)


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--scale", help="A scale with transformers; default: a small one.")
    parser.add_argument("--batch", type=int, help="Default: the scale's.")
    parser.add_argument("--steps", type=int, default=8, help="Steps that are timed.")
    parser.add_argument("--decode-threads", type=int, default=1)
    given = parser.parse_args()
    recipe = load_scale(given.scale, "sequential") if given.scale else small_transformer()
    size = given.batch or recipe.global_batch_size
    # Twice the steps: reading ahead never meets the end.
    total = 2 * (WARM_UP_STEPS + given.steps) * size
    recipe = replace(recipe, global_batch_size=size, samples_seen=total)
    device = torch.device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "one CPU thread"
    _say(f"{name}, {given.scale or 'a small transformer'}, batch {size:,}\n")
    _say("| choices | images/s | MFU | data wait |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, one_thread(given.device):
        make_shards(Path(folder), 2 * size)
        data = SequentialData(open_sources([parse_source(folder)]))
        for choices in rows(device.type):
            batches = data.batches(recipe, 0, 0, given.decode_threads)
            try:
                found = measure(recipe, batches, device, choices, given.steps)
            except torch.OutOfMemoryError:
                _say(f"| {choices.name} | does not fit | | |")
                continue
            mfu = "unknown" if found["mfu"] is None else f"{found['mfu']:.1%}"
            rate, wait = found["images_per_second"], found["data_wait_share"]
            _say(f"| {choices.name} | {rate:,.1f} | {mfu} | {wait:.1%} |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
