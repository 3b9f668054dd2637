"""Faces made unrecognisable in pictures as they are downloaded.

The original's recipe (img2dataset 1.42, after the ImageNet face obfuscation): every box is widened
by a tenth of its longer side, the mask of all boxes is softened, and a Gaussian blur with sigma of
a tenth of the longest side is laid over. img2dataset 1.47 lost the sigma when it moved to another
albumentations: there it follows from the kernel's size and comes to about a third. Hence this
blurrer in its place.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


class FaceBlurrer:
    """Called by img2dataset's resizer with a picture and its boxes."""

    def __call__(self, img: Picture, bbox_list: Sequence[Sequence[float]]) -> Picture:
        """Blur the boxes (x0, y0, x1, y1 in 0 to 1) of a picture (height, width[, channels])."""
        if not len(bbox_list):
            return img
        height, width = img.shape[:2]
        scale = np.array([width, height, width, height])
        pixels: Plane = img.astype(np.float32) / np.float32(255)
        mask: Plane = np.zeros_like(pixels)
        longest = 0
        for box in bbox_list:
            x0, y0, x1, y1 = (np.asarray(box) * scale).astype(int).tolist()
            side = max(x1 - x0, y1 - y0)
            longest, margin = max(longest, side), 0.1 * side
            x0, x1 = (int(np.clip(int(x), 0, width - 1)) for x in (x0 - margin, x1 + margin))
            y0, y1 = (int(np.clip(int(y), 0, height - 1)) for y in (y0 - margin, y1 + margin))
            mask[y0:y1, x0:x1] = 1
        if longest == 0:
            return img
        soft, blurred = _gaussian(mask, 0.1 * longest), _gaussian(pixels, 0.1 * longest)
        result = pixels * (1 - soft) + blurred * soft
        return (result * 255).astype(np.uint8)


def _gaussian(pixels: Plane, sigma: float) -> Plane:
    import cv2

    size = 2 * math.ceil(4 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(pixels, (size, size), sigma), np.float32)
