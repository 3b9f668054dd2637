"""Pictures that filters are tried on, encoded as a shard holds them: ordinary, odd and broken."""

import io
from typing import Any

import numpy as np
from PIL import Image

_SIZES = ((64, 48), (48, 64), (96, 33), (50, 50))


def ordinary_jpeg(row: int) -> bytes:
    """A picture of its own for every row: a gradient with some noise."""
    width, height = _SIZES[row % len(_SIZES)]
    across = np.linspace(0, 255, width)[None, :, None] * (0.2 + row % 5 / 5)
    down = np.linspace(255, 0, height)[:, None, None] * (0.1 + row % 3 / 3)
    noise = np.random.default_rng(row).normal(0, 20, (height, width, 3))
    pixels = np.clip(across * [1, 0.5, 0.2] + down * [0.1, 0.6, 1] + noise, 0, 255)
    return _encoded(Image.fromarray(pixels.astype(np.uint8)), "JPEG", quality=92)


def odd_pictures() -> dict[str, bytes]:
    """Pictures that can be decoded, and are not what a model was trained on."""
    return {
        "of one pixel": _encoded(Image.new("RGB", (1, 1), (9, 200, 30)), "PNG"),
        "of 1 x 1500 pixels": _encoded(Image.new("RGB", (1, 1500)), "PNG"),
        "of 1500 x 1 pixels": _encoded(Image.new("RGB", (1500, 1), "white"), "PNG"),
        "all black": _encoded(Image.new("RGB", (40, 40)), "PNG"),
        "all white": _encoded(Image.new("L", (40, 40), 255), "PNG"),
        "with transparency": _encoded(Image.new("RGBA", (30, 20), (255, 0, 0, 0)), "PNG"),
        "with a palette": _encoded(Image.new("P", (30, 20), 7), "PNG"),
        "in CMYK": _encoded(Image.new("CMYK", (30, 20), (9, 99, 0, 50)), "JPEG"),
    }


def broken_pictures() -> dict[str, bytes]:
    """Bytes that a shard may hold in the place of a picture and that no decoder accepts."""
    whole = ordinary_jpeg(0)
    return {
        "cut off in the middle": whole[: len(whole) // 2],
        "an error page": b"<html><body>404 Not Found</body></html>",
        "empty": b"",
        "garbled": whole[:2] + bytes(len(whole) - 2),
    }


def _encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
