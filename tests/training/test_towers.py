"""Ways to compute the same faster or in less memory: what they keep, and in which tolerance."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datacomp.pool import Pool
from datacomp.training import Systems, load_scale, train, whole_pool
from datacomp.training.captions import caption_lengths
from datacomp.training.decoding import Batch
from datacomp.training.distributed import Ranks
from datacomp.training.feed import feed, one_ahead
from datacomp.training.metrics_log import read_metrics
from datacomp.training.model import build_model, build_tokenizer
from datacomp.training.step import GradientStep
from datacomp.training.towers import compile_blocks, recompute_blocks

SMOKE = load_scale("smoke")
VIT = replace(
    SMOKE,
    model={
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {**SMOKE.model["text_cfg"], "layers": 1},
    },
    samples_seen=96,
    global_batch_size=32,
)
CAPTIONS = tuple(f"a photo of {'very ' * (n % 9)}blue thing {n}" for n in range(16))


class Sizes:
    """Bytes that autograd keeps for the backward pass."""

    def __init__(self) -> None:
        self.total = 0

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        self.total += tensor.nbytes
        return tensor


def one_step(
    change: Callable[[torch.nn.Module], None], trimmed: bool = False
) -> tuple[float, dict[str, torch.Tensor], int]:
    """Loss, gradients, and bytes kept, of a model with a change."""
    model = build_model(VIT).train()
    change(model)
    tokens = build_tokenizer(VIT)(CAPTIONS)
    pixels = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    step = GradientStep(model, Ranks(), None, nullcontext(), trimmed=trimmed)
    kept = Sizes()
    with torch.autograd.graph.saved_tensors_hooks(kept, lambda tensor: tensor):
        loss = step(pixels, tokens, caption_lengths(tokens))
    held = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return loss, held, kept.total


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-5 * largest)


def test_blocks_computed_again_give_the_same_bits_from_less_memory() -> None:
    loss, gradients, kept = one_step(lambda model: None)
    for share in (0.5, 1.0):
        again = one_step(lambda model, share=share: recompute_blocks(model, share))
        assert again[0] == loss
        assert all(torch.equal(again[1][name], gradients[name]) for name in gradients)
        assert again[2] < kept
        kept = again[2]


# torch's tracer looks at the gradient of an input that is no parameter.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_blocks_give_the_same_gradients() -> None:
    """Traced and differentiated ahead of time; the code generator itself needs a compiler."""

    def compiled(model: torch.nn.Module) -> None:
        names = set(model.state_dict())
        recompute_blocks(model, 0.5)
        compile_blocks(model, backend="aot_eager")
        assert set(model.state_dict()) == names

    loss, gradients, _ = one_step(lambda model: None)
    found, by_compiled, _ = one_step(compiled, trimmed=True)
    assert found == pytest.approx(loss, rel=1e-6)
    assert_same(by_compiled, gradients)


def test_a_run_with_blocks_computed_again_has_the_same_losses(pool: Pool, tmp_path: Path) -> None:
    losses = []
    for systems in (Systems(), Systems(grad_checkpointing=0.5, micro_batch=8)):
        folder = tmp_path / str(systems.micro_batch)
        train(VIT, pool, whole_pool(pool), folder, subset_name="all", systems=systems)
        losses.append([line["loss"] for line in read_metrics(folder / "metrics.jsonl")])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_trains_as_the_cpu_does(pool: Pool, tmp_path: Path, compiled: bool) -> None:
    losses = []
    for systems in (Systems(), Systems(device="cuda", compile=compiled)):
        folder = tmp_path / systems.device
        train(VIT, pool, whole_pool(pool), folder, subset_name="all", systems=systems)
        losses.append([line["loss"] for line in read_metrics(folder / "metrics.jsonl")])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_batches_reach_the_device_as_they_are() -> None:
    pixels = np.arange(2 * 3 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 3, 8, 8, 3)
    given = [Batch(some, CAPTIONS[:3]) for some in pixels]
    fed = list(feed(iter(given), build_tokenizer(VIT), torch.device("cpu")))
    assert len(fed) == 2
    for batch, (some, expected) in zip(fed, zip(pixels, given, strict=True), strict=True):
        assert torch.equal(batch.pixels, torch.from_numpy(some))
        assert torch.equal(batch.tokens, build_tokenizer(VIT)(expected.captions))
        assert batch.lengths.tolist() == [8, 9, 10]


def test_one_item_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            yield number
        raise OSError("the disk is gone")

    taken = one_ahead(items())
    assert [next(taken) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(taken)
    assert made == [0, 1, 2]
