"""Regions of a picture painted over with the colour that surrounds them.

A region takes one colour: the mean of the pixels in its bounding rectangle grown by a margin, all
regions left out. The margin is 1/32 of the picture's longer side, at least 2 pixels. A region with
no such pixel (writing all around it) takes the mean of all pixels outside the regions, and where
regions cover everything, the mean of the picture: what was only writing becomes a plain card.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

MARGIN = 1 / 32
LEAST_MARGIN = 2

Corners = Sequence[float]


def fill_regions(image: Image.Image, regions: Sequence[Corners]) -> Image.Image:
    """A copy of an RGB picture with each region (x1, y1, x2, y2, ... in pixels) painted over."""
    pixels = np.array(image)
    masks = [_mask(image.size, corners) for corners in regions]
    free = ~np.logical_or.reduce(masks)
    outside = pixels[free] if free.any() else pixels.reshape(-1, 3)
    margin = max(LEAST_MARGIN, math.ceil(max(image.size) * MARGIN))
    filled = pixels.copy()
    for mask in masks:
        rows, columns = _grown(mask, margin)
        around = pixels[rows, columns][free[rows, columns]]
        filled[mask] = np.rint((around if len(around) else outside).mean(axis=0, dtype=np.float64))
    return Image.fromarray(filled)


def height(corners: Corners) -> float:
    """The shorter side of a region in pixels: how tall its writing is."""
    points = np.asarray(corners, np.float64).reshape(-1, 2)
    first, second = points[1] - points[0], points[2] - points[1]
    return float(min(np.hypot(*first), np.hypot(*second)))


def _mask(size: tuple[int, int], corners: Corners) -> npt.NDArray[np.bool_]:
    canvas = Image.new("1", size)
    ImageDraw.Draw(canvas).polygon([*corners], fill=1, outline=1)
    return np.array(canvas)


def _grown(mask: npt.NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """The mask's bounding rectangle, grown: rows and columns."""
    first, second = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(first):
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, int(first[0]) - margin), int(first[-1]) + margin + 1),
        slice(max(0, int(second[0]) - margin), int(second[-1]) + margin + 1),
    )
