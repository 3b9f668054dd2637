"""The picture of a row as its shard stores it: 72 pixels on the longer side, as JPEG.

Each row shows its emoji a little differently (size, place, background), as pages of the web do.
"""

import io
from dataclasses import dataclass, field
from random import Random

from PIL import Image, ImageChops, ImageEnhance

from datacomp.pool.tiny.lettering import write_over
from datacomp.pool.tiny.plan import Plan, Row

LONGEST_SIDE = 72
PASTELS = ("#fdf6e3", "#eaf4ff", "#eefaee", "#fff0f3", "#f3efff", "#f2f2f2", "#fff9d9")

BACKGROUND_SHARE = 0.1


def stored_size(width: int, height: int) -> tuple[int, int]:
    """Pixels in the shard of a picture of that original size; the small ones stay as they are.

    As img2dataset's `keep_ratio_largest` with `resize_only_if_bigger` does it.
    """
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass(frozen=True)
class Painter:
    """Draws the rows of a plan; each picture is rendered once and kept."""

    plan: Plan
    _bases: dict[int, Image.Image] = field(default_factory=dict)

    def draw(self, row: Row) -> Image.Image:
        """The picture of a row, RGB."""
        rng, size = row.rng(), stored_size(row.width, row.height)
        if row.source is not None:
            return _again(self.draw(self.plan.row(row.source)), size, rng)
        if row.picture not in self._bases:
            self._bases[row.picture] = self.plan.pictures[row.picture].render(LONGEST_SIDE)
        base = self._bases[row.picture]
        if row.kind == "bad_geometry":
            # Stretched into a banner, or as coarse as an icon.
            return base.resize(size, Image.Resampling.BICUBIC)
        image = _placed(base, size, rng)
        if row.written is not None:
            write_over(image, row.written, rng)
        return image


def encode_jpeg(image: Image.Image, row: Row) -> bytes:
    """The bytes in the shard; a near-duplicate was saved once too often."""
    quality = 55 if row.kind == "near_duplicate" else 90
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _placed(base: Image.Image, size: tuple[int, int], rng: Random) -> Image.Image:
    """Put the picture somewhere on a canvas of that size, on white or, at times, a pale colour."""
    width, height = size
    side = round(min(size) * rng.uniform(0.95, 1.0))
    canvas = Image.new("RGB", size, "white")
    emoji = base.resize((side, side), Image.Resampling.BICUBIC)
    canvas.paste(emoji, (rng.randint(0, width - side), rng.randint(0, height - side)))
    if rng.random() < BACKGROUND_SHARE:
        # Multiplied, since the pictures come on white and not transparent.
        canvas = ImageChops.multiply(canvas, Image.new("RGB", size, rng.choice(PASTELS)))
    return canvas


def _again(image: Image.Image, size: tuple[int, int], rng: Random) -> Image.Image:
    """A copy as the web makes them: a piece cut off, other colours, other proportions."""
    width, height = image.size
    left, right = (round(width * rng.uniform(0, 0.08)) for _ in range(2))
    top, bottom = (round(height * rng.uniform(0, 0.08)) for _ in range(2))
    image = image.crop((left, top, width - right, height - bottom))
    image = image.resize(size, Image.Resampling.BICUBIC)
    for enhance in (ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast):
        image = enhance(image).enhance(rng.uniform(0.7, 1.3))
    return image
