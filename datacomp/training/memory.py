"""How much memory a training step takes, by a step on tensors without contents.

torch's fake tensors go through the real model, autograd and loss, and are counted while they live.
So autocast, micro-batches and gradient checkpointing are in the number as they are in the step.
Not in it: what the library itself takes, and what its kernels and allocator waste.
"""

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from datacomp.training.distributed import Ranks
from datacomp.training.loss import clip_loss
from datacomp.training.model import build_model
from datacomp.training.recipe import Recipe, Systems
from datacomp.training.towers import recompute_blocks
from datacomp.training.transform import to_model_input

_FLOAT = 4
# Batches of pixels, uint8, that are decoded or on their way: see `data`.
_READ_AHEAD = 3


@dataclass(frozen=True)
class Memory:
    """Bytes of one process, of which `rows` pairs are in one graph.

    On the device at once: `weights`, AdamW's `moments`, and the larger of what a `step` takes,
    gradients included, and the gradients in one `message` to the other processes. In the machine's
    memory `host`: batches that are read ahead, and the copy of the state while it is saved.
    """

    rows: int
    weights: int
    moments: int
    step: int
    message: int
    host: int

    @property
    def total(self) -> int:
        """On the device, at most."""
        return self.weights + self.moments + max(self.step, self.message)


def expected_memory(recipe: Recipe, systems: Systems, world: int) -> Memory:
    """The memory of one of `world` processes that share the recipe's batch."""
    share = recipe.global_batch_size // world
    rows = min(systems.micro_batch or share, share)
    with FakeTensorMode():
        model = build_model(recipe).train()
        recompute_blocks(model, systems.grad_checkpointing)
        weights = sum(p.numel() * p.element_size() for p in model.parameters())
        step = _step_peak(model, recipe, share, rows, world)
    pixels = recipe.image_size**2 * 3
    return Memory(
        rows=rows,
        weights=weights,
        moments=2 * weights,
        step=step,
        message=2 * weights if world > 1 else weights,
        host=3 * weights + _READ_AHEAD * share * pixels,
    )


def _step_peak(model: Any, recipe: Recipe, share: int, rows: int, world: int) -> int:
    """Two pieces stand for all: the second one finds the gradients of the first."""
    side, bf16 = recipe.image_size, recipe.precision == "amp_bf16"
    with _Living() as living, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        pixels = to_model_input(torch.empty((share, side, side, 3), dtype=torch.uint8))
        tokens = torch.zeros((share, recipe.context_length), dtype=torch.int64)
        if rows < share:
            features = torch.empty((share, recipe.model["embed_dim"]))
            clip_loss(features, features, torch.ones(()), _Pretended(0, world))
        for _ in range(1 if rows == share else 2):
            found = model(pixels[:rows], tokens[:rows])
            images, texts = found["image_features"], found["text_features"]
            if rows == share:
                scale = found["logit_scale"].detach()
                clip_loss(images.detach(), texts.detach(), scale, _Pretended(0, world))
            gradients = torch.empty_like(images), torch.empty_like(texts)
            torch.autograd.backward((images, texts), gradients)
            del found, images, texts, gradients
    return int(living.peak)


class _Pretended(Ranks):
    """Others who hold as much as this process, and say nothing."""

    def stack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Room for that of all."""
        return tensor.new_empty((self.world, *tensor.shape))

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """As it is."""
        return tensor


class _Living(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
    """Counts the bytes of the storages that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for value in _pytree.tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._see(value.untyped_storage())
        return result

    def _see(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._bytes:
            self._bytes[key] = storage.nbytes()
            self.now += self._bytes[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._bytes.pop(key)
