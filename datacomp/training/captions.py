"""The text tower without the padding behind a caption's end.

Attention is causal and a caption's feature is read at its end token, so no later token has a part
in it. Captions are sorted by length and cut into a few groups, each as long as its longest one:
most captions of the web have less than 20 of the 77 tokens, but every large batch has one of 77.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

# More groups waste fewer tokens on padding and more time on starting kernels.
GROUPS = 3


def caption_lengths(tokens: Tensor) -> Tensor:
    """(b,) tokens of each row of (b, context) up to its end token, the largest id there is."""
    return tokens.argmax(1) + 1


def tokens_read(lengths: Tensor) -> int:
    """How many tokens `encode_captions` reads of captions of these lengths, padding included."""
    groups = lengths.sort().values.tensor_split(GROUPS)
    return sum(len(group) * int(group[-1]) for group in groups if len(group))


def encode_captions(
    model: nn.Module,
    tokens: Tensor,
    lengths: Tensor,
    look_up: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """(b, d) normalised features of (b, context) tokens: `model.encode_text`, up to rounding.

    `model` is an open_clip `CLIP`; `lengths` are `caption_lengths`, on the CPU wherever the rest
    is: what decides shapes is known there without waiting for the device.
    """
    order = lengths.argsort(stable=True)
    groups = [group for group in order.tensor_split(GROUPS) if len(group)]
    words = [
        tokens[group.to(tokens.device, non_blocking=True), : int(lengths[group[-1]])]
        for group in groups
    ]
    # Looked up together: each lookup's gradient is as large as the vocabulary.
    found = (look_up or model.token_embedding)(torch.cat([group.reshape(-1) for group in words]))
    parts = found.split([group.numel() for group in words])
    features = [
        _encode(model, part.view(*group.shape, -1), group)
        for part, group in zip(parts, words, strict=True)
    ]
    back = order.argsort().to(tokens.device, non_blocking=True)
    return functional.normalize(torch.cat(features)[back], dim=-1)


def _encode(model: nn.Module, x: Tensor, tokens: Tensor) -> Tensor:
    """open_clip's `encode_text` of (b, n) tokens that are looked up already."""
    n, kind = tokens.shape[1], model.transformer.get_cast_dtype()
    x = x.to(kind) + model.positional_embedding[:n].to(kind)
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:n, :n]))
    ends = x[torch.arange(len(x), device=x.device), tokens.argmax(1)]
    return ends @ model.text_projection
