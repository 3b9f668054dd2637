"""StableAdamW against the paper's algorithm, number by number, and for what it promises."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from timm.optim.adamw import AdamWLegacy

from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, read_run, train, whole_pool
from datacomp.training.model import STABLE_ADAMW, build_model, build_optimizer
from datacomp.training.optimizers import StableAdamW

BETA1, BETA2, EPS, DECAY = 0.9, 0.95, 1e-6, 0.2
SHAPES = ((3, 4), (5,), ())


def gradients(steps: int) -> list[list[np.ndarray]]:
    """By step and tensor, of very different sizes, with sudden growth and a tensor of zeros."""
    random = np.random.default_rng(0)
    found = []
    for step in range(steps):
        size = 10.0 ** random.integers(-8, 2) * (100 if step % 7 == 6 else 1)
        found.append([size * random.standard_normal(shape) for shape in SHAPES])
        found[-1][1][:2] = 0
        if step < 2:
            found[-1][2] = np.zeros(())
    return found


def by_the_paper(
    theta: list[float], steps: list[tuple[float, list[float]]], decay: float
) -> list[float]:
    """Algorithm 2 of arXiv 2304.13013 for one tensor, in Python's numbers."""
    v, u = [0.0] * len(theta), [0.0] * len(theta)
    for t, (alpha, g) in enumerate(steps, start=1):
        beta1 = BETA1 * (1 - BETA1 ** (t - 1)) / (1 - BETA1**t)
        beta2 = BETA2 * (1 - BETA2 ** (t - 1)) / (1 - BETA2**t)
        v = [beta1 * a + (1 - beta1) * b for a, b in zip(v, g, strict=True)]
        u = [beta2 * a + (1 - beta2) * b * b for a, b in zip(u, g, strict=True)]
        ratios = [b * b / max(a, EPS**2) for a, b in zip(u, g, strict=True)]
        rms = math.sqrt(sum(ratios) / len(ratios))
        eta = alpha / max(1.0, rms)
        theta = [
            p - eta * decay * p - eta * a / (math.sqrt(b) + EPS)
            for p, a, b in zip(theta, v, u, strict=True)
        ]
    return theta


def updated(
    make: Callable[..., torch.optim.Optimizer], steps: list[list[np.ndarray]], **constants: Any
) -> list[torch.Tensor]:
    """Three float64 tensors of ones after those gradients, each at its learning rate."""
    tensors = [torch.nn.Parameter(torch.ones(shape, dtype=torch.float64)) for shape in SHAPES]
    optimizer = make([{"params": tensors}], lr=0.0, betas=(BETA1, BETA2), **constants)
    for step, found in enumerate(steps):
        optimizer.param_groups[0]["lr"] = rate(step)
        for tensor, gradient in zip(tensors, found, strict=True):
            tensor.grad = torch.as_tensor(gradient)
        optimizer.step()
    return [tensor.detach() for tensor in tensors]


def rate(step: int) -> float:
    return 1e-2 * (step + 1)


def test_it_is_the_algorithm_of_the_paper() -> None:
    steps = gradients(40)
    ours = updated(StableAdamW, steps, eps=EPS, weight_decay=DECAY)
    for number, tensor in enumerate(ours):
        flat = [(rate(t), found[number].ravel().tolist()) for t, found in enumerate(steps)]
        expected = by_the_paper([1.0] * tensor.numel(), flat, DECAY)
        np.testing.assert_allclose(tensor.ravel(), expected, rtol=1e-12, atol=1e-14)


def test_without_decay_and_epsilon_it_is_that_of_timm() -> None:
    """Timm's decay is not clipped, and its ratio is of g to sqrt(u) + eps, not to their maximum."""
    steps = [[gradient + 1e-3 for gradient in found] for found in gradients(40)]
    ours = updated(StableAdamW, steps, eps=1e-15, weight_decay=0.0)
    timms = updated(AdamWLegacy, steps, eps=1e-15, weight_decay=0.0, clipping_threshold=1.0)
    for mine, theirs in zip(ours, timms, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def losses_when_the_signal_grows(make: Callable[..., torch.optim.Optimizer]) -> list[float]:
    """Of a linear regression whose inputs are a thousand times weaker in the first 200 steps."""
    random = torch.Generator().manual_seed(0)
    weights = torch.nn.Parameter(torch.zeros(64))
    optimizer = make([{"params": [weights]}], lr=1e-2, betas=(0.9, 0.99), eps=EPS, weight_decay=0.0)
    losses = []
    for step in range(260):
        strength = 1e-3 if step < 200 else 1.0
        inputs = strength * torch.randn(256, 64, generator=random)
        noise = 0.1 * strength * torch.randn(256, generator=random)
        outputs = noise if step < 200 else inputs @ torch.full((64,), 0.002)
        loss = (inputs @ weights - outputs).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[200:]


def test_a_spike_of_adamw_does_not_happen() -> None:
    plain = losses_when_the_signal_grows(torch.optim.AdamW)
    stable = losses_when_the_signal_grows(StableAdamW)
    assert plain[0] == pytest.approx(stable[0], rel=0.1)
    assert max(plain) > 10 * plain[0]
    assert max(stable) < 2 * stable[0]


def test_decay_is_on_matrices_only(recipe: Recipe) -> None:
    recipe = replace(recipe, optimizer=STABLE_ADAMW)
    optimizer = build_optimizer(build_model(recipe), recipe)
    assert isinstance(optimizer, StableAdamW)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0, 0.2]
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.98)}


class StopAfterHalf:
    """Progress that interrupts, as ^C would, after four of eight steps."""

    def __init__(self) -> None:
        self.steps = 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.steps += 1
        if self.steps > 4:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_with_the_same_bytes(
    recipe: Recipe, pool: Pool, tmp_path: Path
) -> None:
    recipe = replace(recipe, optimizer=STABLE_ADAMW)

    def run(folder: str, **options: Any) -> None:
        train(recipe, pool, whole_pool(pool), tmp_path / folder, subset_name="all", **options)

    run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("cut", systems=Systems(checkpoint_seconds=0), progress=StopAfterHalf())
    run("cut")
    whole, cut = read_run(tmp_path / "whole"), read_run(tmp_path / "cut")
    assert cut.resumes == 1
    assert cut.checkpoint_sha256 == whole.checkpoint_sha256
