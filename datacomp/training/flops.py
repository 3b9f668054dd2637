"""Floating point operations of a recipe's model, and how many a device could do.

Counted are the matrix multiplications and convolutions of open_clip's towers, a multiply-add as
two: what `torch.utils.flop_counter` counts in a forward pass. Norms, activations, softmax, the
loss and the optimizer are left out; they are less than a percent at the published scales. Training
is three forward passes: the backward pass multiplies with every weight twice. What is computed
again to save memory is not counted.
"""

from typing import Any

from datacomp.training.recipe import Recipe

MLP_RATIO, HEAD_WIDTH = 4.0, 64  # open_clip's defaults, where a configuration does not say.
BOTTLENECK = 4  # A ResNet block's output is so many times as wide as its inside.


def training_flops(recipe: Recipe, tokens: float | None = None) -> float:
    """Operations of one image-text pair in training: forward, and backward at twice that.

    `tokens` is how many the text tower reads of a caption, on average; None for all of its context.
    """
    return 3 * forward_flops(recipe, tokens)


def forward_flops(recipe: Recipe, tokens: float | None = None) -> float:
    """Operations of one forward pass of one image and one caption."""
    vision, width = recipe.model["vision_cfg"], int(recipe.model["embed_dim"])
    image = _resnet if isinstance(vision["layers"], list) else _vision_transformer
    text = _text(recipe.model["text_cfg"], width, tokens or recipe.context_length)
    return 2 * (image(vision, width) + text)


def _text(text: dict[str, Any], embed_dim: int, tokens: float) -> float:
    # The projection is of one token, the caption's end.
    return _transformer(text, tokens) + int(text["width"]) * embed_dim


def _vision_transformer(vision: dict[str, Any], embed_dim: int) -> float:
    width, patches = vision["width"], (vision["image_size"] // vision["patch_size"]) ** 2
    stem = patches * 3 * vision["patch_size"] ** 2 * width
    return float(stem + _transformer(vision, patches + 1) + width * embed_dim)


def _transformer(tower: dict[str, Any], tokens: float) -> float:
    """Multiply-adds of all blocks; a causal mask saves nothing: the product is computed whole."""
    width = tower["width"]
    mlp = int(width * tower.get("mlp_ratio", MLP_RATIO))
    weights = 4 * width * width + 2 * width * mlp
    attention = 2 * tokens * width
    return float(tower["layers"] * tokens * (weights + attention))


def _resnet(vision: dict[str, Any], embed_dim: int) -> float:
    """Multiply-adds of open_clip's `ModifiedResNet`: three stem convolutions, attention pooling."""
    width = vision["width"]
    side = (vision["image_size"] + 1) // 2
    half = width // 2
    count = 9 * side**2 * (3 * half + half * half + half * width)
    side, channels = side // 2, width
    for stage, blocks in enumerate(vision["layers"]):
        inside = width * 2**stage
        for block in range(blocks):
            before = side
            if block == 0 and stage > 0:
                side //= 2
            count += before**2 * (channels * inside + 9 * inside**2)
            count += side**2 * inside * BOTTLENECK * inside
            if block == 0:
                count += side**2 * channels * BOTTLENECK * inside
            channels = BOTTLENECK * inside
    tokens = side**2 + 1
    pooling = 3 * channels * channels + channels * embed_dim + 2 * tokens * channels
    return float(count + tokens * pooling)
