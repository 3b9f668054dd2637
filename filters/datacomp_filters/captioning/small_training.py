"""The small captioner's training: a fixed number of steps that ends with the same weights whatever.

Batches and distortions of a step follow from its number alone, so that a
training that was stopped goes on from its last checkpoint as if nothing had been.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from datacomp.errors import FilterError
from datacomp.training.checkpoint import copy_state, load_resume, write_resume
from datacomp_filters.captioning.small_model import SmallCaptioner, normalised
from datacomp_filters.captioning.words import PAD

BATCH = 128
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 3e-3, 0.05, 30
CONTRAST = 1.0
SEED = 0
CHECKPOINT_SECONDS = 15.0
_RESUME = "resume.safetensors"

Pixels = npt.NDArray[np.uint8]
Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lesson:
    """What is learnt: pictures (n, s, s, 3) uint8, their captions (n, LENGTH), and how long."""

    pixels: Pixels
    tokens: Tokens
    n_words: int
    steps: int


def train(lesson: Lesson, folder: Path, device: str, tell: Callable[[str], None]) -> SmallCaptioner:
    """The trained network, in evaluation mode; checkpoints lie in `folder`."""
    if device == "cpu":
        # Sums of several threads end in other bits, and small layers gain nothing by them.
        torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = SmallCaptioner(lesson.n_words)
    model.to(device=device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    resume = folder / _RESUME
    first = load_resume(resume, model, optimizer)["step"] if resume.is_file() else 0
    saved = time.monotonic()
    for step in range(first, lesson.steps):
        spoken, contrast = _step(model, optimizer, lesson, step, device)
        if not math.isfinite(spoken + contrast):
            raise FilterError(
                f"the small captioner's loss is {spoken + contrast} at step {step + 1} of its "
                "training, which was stopped. Give another captioner_steps, or another trusted set"
            )
        tell(f"step {step + 1} of {lesson.steps}, loss {spoken:.2f}, matching {contrast:.2f}")
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            write_resume(resume, *copy_state(model, optimizer), {"step": step + 1})
            saved = time.monotonic()
    model.eval()
    return model


def _step(
    model: SmallCaptioner, optimizer: Any, lesson: Lesson, step: int, device: str
) -> tuple[float, float]:
    rows = _rows(len(lesson.pixels), step)
    pixels = torch.from_numpy(lesson.pixels[rows]).to(device)
    generator = torch.Generator().manual_seed(_number(step))
    # Dropout draws from the global generator.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_number(step))
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * _schedule(step, lesson.steps)
        spoken, contrast = model.loss(
            _distorted(normalised(pixels), generator),
            torch.from_numpy(_cut(lesson.tokens[rows])).to(device),
        )
        optimizer.zero_grad()
        (spoken + CONTRAST * contrast).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(spoken.detach()), float(contrast.detach())


def _rows(n: int, step: int) -> npt.NDArray[np.int64]:
    """The rows of a step's batch: one random order after another, cut into batches."""
    places = np.arange(step * BATCH, (step + 1) * BATCH)
    rows = np.empty(BATCH, np.int64)
    for epoch in np.unique(places // n).tolist():
        order = np.random.default_rng([SEED, epoch]).permutation(n)
        here = places // n == epoch
        rows[here] = order[places[here] % n]
    return rows


def _cut(tokens: Tokens) -> Tokens:
    """Without the columns that hold padding alone."""
    return tokens[:, : int((tokens != PAD).sum(1).max())]


def _distorted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turned, shifted, stretched, and in other colours: no two artists draw alike."""
    n = len(images)
    turn, size, stretch, right, down = (
        torch.rand(5, n, generator=generator).to(images.device) * 2 - 1
    )
    scale = 1 / (1 + 0.25 * size)
    cos, sin = (scale * trig(0.25 * turn) for trig in (torch.cos, torch.sin))
    wide = 1 + 0.12 * stretch
    across = torch.stack([cos * wide, -sin * wide, 0.15 * right], 1)
    along = torch.stack([sin, cos, 0.15 * down], 1)
    grid = F.affine_grid(torch.stack([across, along], 1), list(images.shape), align_corners=False)
    # What comes in from outside has the colour of the first corner.
    ground = images[:, :, :1, :1]
    moved = F.grid_sample(images - ground, grid, align_corners=False) + ground
    gain, shift = torch.rand(2, n, 3, 1, 1, generator=generator).to(images.device) * 2 - 1
    return moved * (1 + 0.3 * gain) + 0.4 * shift


def _schedule(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to zero."""
    return min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _number(step: int) -> int:
    """A seed for the step."""
    return int(np.random.SeedSequence([SEED, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
