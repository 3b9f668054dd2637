"""Updates in shares, by threads that hold the same memory as processes do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from mmap import mmap
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datacomp.training.distributed import Ranks
from datacomp.training.optimizers import StableAdamW
from datacomp.training.update import shared_update

STEPS = 5


class Threads(Ranks):
    """Each thread's rank; what one maps all have."""

    barrier: Barrier
    found: mmap

    def memory(self, size: int) -> mmap | None:
        if self.rank == 0:
            type(self).found = mmap(-1, size)
        self.wait()
        return self.found

    def wait(self) -> None:
        self.barrier.wait()


def model() -> nn.Module:
    """A convolution in channels last, an embedding, vectors, a scalar; `u` is not used."""
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {"c": nn.Conv2d(5, 7, 3), "e": nn.Embedding(101, 9), "u": nn.Linear(3, 3)}
    )
    parts.scale = nn.Parameter(torch.tensor(2.5))
    return parts.to(memory_format=torch.channels_last)


def optimizer_of(module: nn.Module, kind: Any = torch.optim.AdamW, **extra: Any) -> Any:
    groups = [
        {"params": [p for p in module.parameters() if p.ndim < 2], "weight_decay": 0.0},
        {"params": [p for p in module.parameters() if p.ndim >= 2], "weight_decay": 0.2},
    ]
    return kind(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-6, **extra)


def steps(
    module: nn.Module, optimizer: Any, update: Callable[[], object], numbers: range
) -> dict[str, Tensor]:
    """Weights and moments after steps of these numbers, whose gradients follow from them."""
    for number in numbers:
        random = torch.Generator().manual_seed(number)
        for name, parameter in module.named_parameters():
            if not name.startswith("u."):
                gradient = torch.randn(parameter.shape, generator=random)
                parameter.grad = torch.empty_like(parameter).copy_(gradient)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (number + 1)
        update()
    held = dict(module.named_parameters())
    moments = {
        f"{name}/{key}": t for name in held for key, t in optimizer.state[held[name]].items()
    }
    return {name: tensor.detach().clone() for name, tensor in (held | moments).items()}


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("before", [0, 2], ids=["from the start", "from a state"])
def test_all_have_the_weights_and_moments_of_one(world: int, before: int) -> None:
    alone = model()
    whole = optimizer_of(alone, fused=True)
    expected = steps(alone, whole, whole.step, range(STEPS))
    Threads.barrier = Barrier(world, timeout=30)

    def work(rank: int) -> dict[str, Tensor]:
        optimizer = optimizer_of(models[rank], fused=True)
        steps(models[rank], optimizer, optimizer.step, range(before))
        ranks = Threads(rank, world)
        ranks.wait()
        update = shared_update(optimizer, ranks)
        found = steps(models[rank], optimizer, update, range(before, STEPS))
        ranks.wait()
        return found

    models = [model() for _ in range(world)]
    with ThreadPoolExecutor(world) as pool:
        for found in pool.map(work, range(world)):
            assert all(torch.equal(found[name], expected[name]) for name in expected)
            assert not any(found[name].any() for name in found.keys() - expected.keys())


def test_what_cannot_be_shared_is_updated_by_each() -> None:
    module = model()
    assert shared_update(adamw := optimizer_of(module), Ranks()) == adamw.step
    stable = optimizer_of(module, StableAdamW)
    assert shared_update(stable, Threads(0, 2)) == stable.step
    double = optimizer_of(module.double())
    assert shared_update(double, Threads(0, 2)) == double.step
