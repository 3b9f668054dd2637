"""What makes transformers faster or smaller without changing what they compute: both towers'."""

from collections.abc import Callable
from functools import partial
from typing import Any

from open_clip.transformer import Transformer
from torch import nn
from torch.utils.checkpoint import checkpoint


def compile_blocks(model: nn.Module, backend: str = "inductor") -> None:
    """Compile each transformer in place: parameters keep their names, checkpoints their keys.

    Convolutions and what stands before and after the blocks run as they are.
    """
    for transformer in _transformers(model):
        transformer.compile(backend=backend)


def recompute_blocks(model: nn.Module, share: float) -> None:
    """Keep no activations of a share (0 to 1) of each transformer's blocks, evenly spread.

    They are computed again in the backward pass: less memory for up to a third more computation.
    """
    for transformer in _transformers(model):
        for number, block in enumerate(transformer.resblocks):
            if int((number + 1) * share) > int(number * share):
                block.forward = _recomputed(block)


def _recomputed(block: nn.Module) -> Callable[..., Any]:
    return partial(checkpoint, block.forward, use_reentrant=False)


def _transformers(model: nn.Module) -> list[Transformer]:
    return [module for module in model.modules() if isinstance(module, Transformer)]
