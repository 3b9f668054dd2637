"""The tensors in a recipe's weights: names, dtypes and shapes, without torch.

    tensors_of(load_scale("small").model)["ln_final.weight"]  # Tensor("F32", (512,))

Those of open_clip's CLIP with a vision transformer or a ResNet; a test holds them equal to the
models that are built.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from datacomp.submission.checkpoint_file import Tensor
from datacomp.training.recipe import load_scale, published_recipes

_EXPANSION = 4
_REDUCTION = 32
"""Of a ResNet's pictures, before its attention pool."""

Named = tuple[str, Tensor]


def recipe_tensors(recipe_id: str) -> Mapping[str, Tensor] | None:
    """What the weights of a published recipe hold, by name; None if it is none of those."""
    found = published_recipes().get(recipe_id)
    return tensors_of(load_scale(*found).model) if found else None


def tensors_of(model: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the weights of a recipe's `model` hold, by name."""
    text, vision, width = model["text_cfg"], model["vision_cfg"], model["embed_dim"]
    tower = _resnet if isinstance(vision["layers"], list | tuple) else _transformer_of_patches
    return {
        "positional_embedding": _floats(text["context_length"], text["width"]),
        "text_projection": _floats(text["width"], width),
        "logit_scale": _floats(),
        "token_embedding.weight": _floats(text["vocab_size"], text["width"]),
        **dict(_blocks("transformer", text["layers"], text["width"])),
        **dict(_norm("ln_final", text["width"])),
        **{f"visual.{name}": tensor for name, tensor in tower(vision, width)},
    }


def _transformer_of_patches(vision: Mapping[str, Any], out: int) -> Iterator[Named]:
    width, patch = vision["width"], vision["patch_size"]
    yield "class_embedding", _floats(width)
    yield "positional_embedding", _floats((vision["image_size"] // patch) ** 2 + 1, width)
    yield "proj", _floats(width, out)
    yield "conv1.weight", _floats(width, 3, patch, patch)
    yield from _norm("ln_pre", width)
    yield from _blocks("transformer", vision["layers"], width)
    yield from _norm("ln_post", width)


def _resnet(vision: Mapping[str, Any], out: int) -> Iterator[Named]:
    width = vision["width"]
    stem = (3, width // 2, width // 2, width)
    for number in (1, 2, 3):
        yield from _conv(f"conv{number}", stem[number], stem[number - 1], 3)
        yield from _batch_norm(f"bn{number}", stem[number])
    inside = width
    for stage, n_blocks in enumerate(vision["layers"]):
        planes = width * 2**stage
        for number in range(n_blocks):
            name = f"layer{stage + 1}.{number}"
            yield from _bottleneck(name, inside, planes, shrinks=number == 0)
            inside = planes * _EXPANSION
    yield from _attention_pool("attnpool", vision["image_size"] // _REDUCTION, inside, out)


def _bottleneck(name: str, inside: int, planes: int, *, shrinks: bool) -> Iterator[Named]:
    outside = planes * _EXPANSION
    for number, (n_out, n_in, size) in enumerate(
        ((planes, inside, 1), (planes, planes, 3), (outside, planes, 1)), start=1
    ):
        yield from _conv(f"{name}.conv{number}", n_out, n_in, size)
        yield from _batch_norm(f"{name}.bn{number}", n_out)
    if shrinks:
        yield from _conv(f"{name}.downsample.0", outside, inside, 1)
        yield from _batch_norm(f"{name}.downsample.1", outside)


def _attention_pool(name: str, side: int, width: int, out: int) -> Iterator[Named]:
    yield f"{name}.positional_embedding", _floats(side**2 + 1, width)
    for one in ("k", "q", "v"):
        yield from _linear(f"{name}.{one}_proj", width, width)
    yield from _linear(f"{name}.c_proj", out, width)


def _blocks(name: str, n: int, width: int) -> Iterator[Named]:
    for number in range(n):
        block = f"{name}.resblocks.{number}"
        yield from _norm(f"{block}.ln_1", width)
        yield f"{block}.attn.in_proj_weight", _floats(3 * width, width)
        yield f"{block}.attn.in_proj_bias", _floats(3 * width)
        yield from _linear(f"{block}.attn.out_proj", width, width)
        yield from _norm(f"{block}.ln_2", width)
        yield from _linear(f"{block}.mlp.c_fc", 4 * width, width)
        yield from _linear(f"{block}.mlp.c_proj", width, 4 * width)


def _batch_norm(name: str, width: int) -> Iterator[Named]:
    yield from _norm(name, width)
    yield f"{name}.running_mean", _floats(width)
    yield f"{name}.running_var", _floats(width)
    yield f"{name}.num_batches_tracked", Tensor("I64", ())


def _norm(name: str, width: int) -> Iterator[Named]:
    yield f"{name}.weight", _floats(width)
    yield f"{name}.bias", _floats(width)


def _linear(name: str, n_out: int, n_in: int) -> Iterator[Named]:
    yield f"{name}.weight", _floats(n_out, n_in)
    yield f"{name}.bias", _floats(n_out)


def _conv(name: str, n_out: int, n_in: int, size: int) -> Iterator[Named]:
    yield f"{name}.weight", _floats(n_out, n_in, size, size)


def _floats(*shape: int) -> Tensor:
    return Tensor("F32", shape)
