"""The training transform: `random-resized-crop/1`, torchvision's rule on counter-based randomness.

Crop of a random area and aspect ratio, resized with Pillow's antialiased bicubic; no flip and no
colour change, as open_clip trains CLIP. Randomness depends on (seed, position) alone.
Normalisation happens on the device, after batches of uint8 have travelled.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.training.counter import uniform
from datacomp.training.sampler import CROP

if TYPE_CHECKING:
    import torch

VERSION = "random-resized-crop/1"
RATIO = (3 / 4, 4 / 3)
TRIES = 10
# OpenAI CLIP's statistics, per channel, of pixels in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

Box = tuple[int, int, int, int]


def crop_numbers(positions: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float64]:
    """(n, TRIES, 4) uniform numbers: area, aspect ratio, top, left."""
    counters = positions.astype(np.uint64)[:, None] * np.uint64(TRIES * 4) + np.arange(
        TRIES * 4, dtype=np.uint64
    )
    return uniform(seed, CROP, counters).reshape(len(positions), TRIES, 4)


def crop_box(
    width: int, height: int, scale: tuple[float, float], numbers: npt.NDArray[np.float64]
) -> Box:
    """(left, top, right, bottom) by `RandomResizedCrop.get_params` of torchvision."""
    area = width * height
    low, high = math.log(RATIO[0]), math.log(RATIO[1])
    for u_area, u_ratio, u_top, u_left in numbers:
        target = area * (scale[0] + (scale[1] - scale[0]) * u_area)
        ratio = math.exp(low + (high - low) * u_ratio)
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(u_left * (width - w + 1)), int(u_top * (height - h + 1))
            return left, top, left + w, top + h
    ratio = min(max(width / height, RATIO[0]), RATIO[1])
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def train_pixels(
    image: Image.Image,
    size: int,
    scale: tuple[float, float],
    numbers: npt.NDArray[np.float64],
) -> npt.NDArray[np.uint8]:
    """(size, size, 3) uint8 of a random crop of an RGB picture."""
    box = crop_box(*image.size, scale, numbers)
    return np.asarray(image.crop(box).resize((size, size), Image.Resampling.BICUBIC))


def eval_pixels(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """(size, size, 3) uint8: shorter side to `size` by bicubic, then the centre, as open_clip."""
    image = image.convert("RGB")
    width, height = image.size
    if width <= height:
        shape = (size, int(size * height / width))
    else:
        shape = (int(size * width / height), size)
    if shape != image.size:
        image = image.resize(shape, Image.Resampling.BICUBIC)
    left, top = round((shape[0] - size) / 2), round((shape[1] - size) / 2)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def to_model_input(pixels: "torch.Tensor") -> "torch.Tensor":
    """(b, s, s, 3) uint8 to (b, 3, s, s) float32, normalised, on the tensor's device.

    The memory stays in the order of channels last, which convolutions take as it is.
    """
    images = pixels.permute(0, 3, 1, 2).float() / 255
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (images - mean) / std
