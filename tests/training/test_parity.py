"""Twenty steps of our whole `train` against twenty of open_clip_train's whole `main` (3.3.0).

Theirs is called with the command line that DataComp's train.py makes, and builds initial weights,
optimizer, schedule and loss itself; its data alone are replaced, by the tensors of our reader.
With the same AdamW kernel and memory order losses and weights are equal to the bit; as it is, they
differ by the rounding of another AdamW.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from open_clip_train import main as original
from open_clip_train.scheduler import cosine_lr
from safetensors.torch import load_file

from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, load_scale, loop, scale_names, train, whole_pool
from datacomp.training.data import open_data
from datacomp.training.metrics_log import read_metrics
from datacomp.training.model import learning_rate_at
from datacomp.training.transform import to_model_input

STEPS, BATCH, EPOCHS, SEED = 20, 16, 5, 3
TINY, SMOKE = load_scale("tiny"), load_scale("smoke")
# The image tower of the tiny scale.
RESNET = replace(
    TINY,
    model={**TINY.model, "text_cfg": SMOKE.model["text_cfg"]},
    samples_seen=STEPS * BATCH,
    global_batch_size=BATCH,
    warmup_steps=5,
)
# ViT-B-32 in its structure, narrow and shallow.
VIT = replace(
    RESNET,
    model={
        "embed_dim": 32,
        "vision_cfg": {"image_size": 48, "layers": 2, "width": 128, "patch_size": 16},
        "text_cfg": SMOKE.model["text_cfg"],
    },
)


@dataclass(frozen=True)
class Run:
    """What a training left: the loss of every step, and the weights."""

    losses: list[float]
    weights: dict[str, torch.Tensor]


class Loader:
    """Given batches, an epoch's share at a time, as open_clip_train asks for them."""

    def __init__(self, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        self.batches, self.epoch, self.dataloader = batches, 0, self
        self.num_batches = len(batches) // EPOCHS
        self.num_samples = self.num_batches * len(batches[0][0])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        first = self.epoch * self.num_batches
        return iter(self.batches[first : first + self.num_batches])


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """One thread; and what their `main` seeds is put back."""
    state, threads = random.getstate(), torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_num_threads(threads)
    random.setstate(state)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Ours logs every step; theirs leaves the root logger alone."""
    monkeypatch.setattr(loop, "is_logged", lambda step, steps: True)
    monkeypatch.setattr(original, "setup_logging", lambda *_: None)
    return monkeypatch


def ours(recipe: Recipe, pool: Pool, folder: Path, systems: Systems | None = None) -> Run:
    subset = whole_pool(pool)
    train(recipe, pool, subset, folder, subset_name="all", seed=SEED, systems=systems)
    losses = [line["loss"] for line in read_metrics(folder / "metrics.jsonl")]
    return Run(losses, load_file(folder / "weights.safetensors"))


def theirs(
    recipe: Recipe, pool: Pool, folder: Path, patch: pytest.MonkeyPatch, pieces: int = 1
) -> Run:
    losses: list[float] = []

    def our_tensors(args: Any, transforms: Any, epoch: int, tokenizer: Any) -> dict[str, Loader]:
        found = []
        for batch in open_data(pool, whole_pool(pool)).batches(recipe, SEED, 0, threads=1):
            images, texts = to_model_input(torch.tensor(batch.pixels)), tokenizer(batch.captions)
            found += zip(images.chunk(pieces), texts.chunk(pieces), strict=True)
        return {"train": Loader(found)}

    def recorded_loss(args: Any) -> Any:
        loss = open_clip.create_loss(args)
        loss.register_forward_hook(lambda _, __, found: losses.append(sum(found.values()).item()))
        return loss

    patch.setitem(open_clip.factory._MODEL_CONFIGS, "parity-vit", recipe.model)
    patch.setattr(original, "get_data", our_tensors)
    patch.setattr(original, "create_loss", recorded_loss)
    original.main(command_line(recipe, folder, pieces))
    saved = torch.load(folder / "run" / "checkpoints" / "epoch_latest.pt", weights_only=True)
    # Of accumulated pieces each makes the loss of the whole batch once more.
    return Run(losses[::pieces], saved["state_dict"])


def command_line(recipe: Recipe, folder: Path, pieces: int) -> list[str]:
    """That of datacomp/train.py at 4a8df19, but on the CPU and in float32."""
    return [
        *("--save-frequency", "0", "--save-most-recent", "--ddp-static-graph"),
        *("--local-loss", "--gather-with-grad", "--grad-checkpointing"),
        *("--train-data", "none.tar", "--dataset-type", "webdataset", "--dataset-resampled"),
        *("--train-num-samples", str(recipe.samples_seen // EPOCHS), "--epochs", str(EPOCHS)),
        *("--warmup", str(recipe.warmup_steps), "--lr", str(recipe.learning_rate)),
        *("--model", "parity-vit", "--batch-size", str(BATCH // pieces), "--precision", "fp32"),
        *("--workers", "4", "--seed", "0", "--accum-freq", str(pieces)),
        *("--log-every-n-steps", "100", "--resume", "latest"),
        *("--logs", str(folder), "--name", "run", "--device", "cpu"),
    ]


def use_our_kernels(patch: pytest.MonkeyPatch) -> None:
    """Theirs with the fused AdamW, and convolutions in the order of channels last."""
    create = original.create_model_and_transforms

    def channels_last(*args: Any, **options: Any) -> Any:
        model, *transforms = create(*args, **options)
        return model.to(memory_format=torch.channels_last), *transforms

    patch.setattr(original, "create_model_and_transforms", channels_last)
    patch.setattr(original.optim, "AdamW", partial(torch.optim.AdamW, fused=True))


def assert_close(run: Run, reference: Run, loss: float, weights: float) -> None:
    assert run.losses == pytest.approx(reference.losses, rel=0, abs=loss)
    assert run.weights.keys() == reference.weights.keys()
    for name, tensor in run.weights.items():
        torch.testing.assert_close(
            tensor, reference.weights[name], rtol=0, atol=weights, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize(
    ("recipe", "loss", "weights"), [(VIT, 2e-6, 2e-4), (RESNET, 1e-4, 5e-3)], ids=["vit", "resnet"]
)
def test_losses_and_weights_are_those_of_open_clip_train(
    recipe: Recipe,
    loss: float,
    weights: float,
    pool: Pool,
    tmp_path: Path,
    patch: pytest.MonkeyPatch,
) -> None:
    run = ours(recipe, pool, tmp_path / "ours")
    assert len(run.losses) == STEPS
    assert_close(run, theirs(recipe, pool, tmp_path / "theirs", patch), loss, weights)
    use_our_kernels(patch)
    exact = theirs(recipe, pool, tmp_path / "theirs, our kernels", patch)
    assert_close(run, exact, loss=0, weights=0)


def test_micro_batches_are_their_accumulation(
    pool: Pool, tmp_path: Path, patch: pytest.MonkeyPatch
) -> None:
    run = ours(VIT, pool, tmp_path / "ours", Systems(micro_batch=BATCH // 2))
    reference = theirs(VIT, pool, tmp_path / "theirs", patch, pieces=2)
    assert_close(run, reference, loss=2e-6, weights=2e-4)


def test_the_logit_scale_is_clamped_after_every_step(pool: Pool, tmp_path: Path) -> None:
    model = {**VIT.model, "init_logit_scale": 5.0}
    run = ours(replace(VIT, model=model, samples_seen=6 * BATCH), pool, tmp_path)
    assert 4.5 < run.weights["logit_scale"].item() <= math.log(100) + 1e-6


@pytest.mark.parametrize("scale", scale_names())
def test_the_learning_rate_is_theirs_at_every_step(scale: str) -> None:
    recipe = load_scale(scale)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = cosine_lr(optimizer, recipe.learning_rate, recipe.warmup_steps, recipe.steps)
    for step in range(0, recipe.steps, max(1, recipe.steps // 1000)):
        schedule(step)
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate_at(step, recipe) == pytest.approx(expected, rel=1e-12)
