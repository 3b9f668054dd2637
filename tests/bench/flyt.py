"""FLYT's step against plain CLIP training on the same tensors.

A FLYT step cannot come near a ratio of 1: beside the plain step's forward and backward pass of the
pairs it takes their tangents, and both passes of three labelled images for each four pairs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from bench import Bench
from torch import Tensor

from datacomp.training import load_scale
from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.downstream import Labelled
from datacomp_filters.flyt.heads import GluHead
from datacomp_filters.flyt.optimizer import AdamW
from datacomp_filters.flyt.references import (
    LOGIT_SCALE,
    EmbeddingReference,
    OpenClipReference,
    Reference,
)
from datacomp_filters.flyt.step import Pairs, Stepper

WIDTH, CLASSES, STEPS = 64, 50, 5
OPTIMIZER = AdamW(0.9, 0.98, 1e-6, 0.2)


def benches(_: Path) -> Iterator[Bench]:
    """On one thread."""
    torch.set_num_threads(1)
    adapters = EmbeddingReference(512, 512)
    yield step_bench("512-d embeddings", adapters, 1024, draw(1024, 512), draw(1024, 512))
    recipe = load_scale("tiny")
    clip = OpenClipReference(open_clip.CLIP(**recipe.model))
    pixels, tokens = draw(128, 3, 48, 48), torch.randint(1, 49_000, (128, 16))
    yield step_bench("tiny CLIP", clip, 128, pixels, tokens)
    yield step_bench("tiny CLIP, in 4 pieces", clip, 32, pixels, tokens)


def step_bench(
    name: str, reference: Reference, micro_batch: int, images: Tensor, texts: Tensor
) -> Bench:
    """Some steps, against some of plain training: forward, backward and AdamW."""
    n = len(images)
    pairs = Pairs(images, texts, draw(n, 2 * WIDTH))
    m = 3 * n // 4
    task = Labelled(images[:m], torch.arange(m) % CLASSES, texts[:CLASSES])
    stepper = Stepper(reference, GluHead(WIDTH, WIDTH), OPTIMIZER, micro_batch, Ranks())
    start = stepper.start()

    def ours() -> None:
        state = start
        for _ in range(STEPS):
            state, _ = stepper.step(state, pairs, [task], 1e-4, 1e-3)

    return Bench(
        f"FLYT step, {name}", "plain CLIP step", ours, plain_steps(reference, images, texts)
    )


def plain_steps(reference: Reference, images: Tensor, texts: Tensor) -> Callable[[], None]:
    """Training as anybody writes it, with torch's optimizer."""
    named = {name: value.requires_grad_() for name, value in reference.parameters().items()}
    optimizer = torch.optim.AdamW(named.values(), lr=1e-4, fused=True)
    target = torch.arange(len(images))

    def run() -> None:
        for _ in range(STEPS):
            u, v = reference.images(named, images), reference.texts(named, texts)
            logits = named[LOGIT_SCALE].exp() * u @ v.T
            loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
