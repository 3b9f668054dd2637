"""Words written over a picture as the web does it: on the picture, or on a strip across it.

Letters are as large as the words allow in at most half the height, and stay inside the square in
the middle of the picture, which is what an encoder sees of it.
"""

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

STRIPS = ("#ffffff", "#ffe680", "#cfe8ff", "#d8f5d0", "#ffd6e0")
HEIGHT_SHARE = 0.5
_SIZES = (26, 24, 22, 20, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7)
# As it is, in title case, in capitals.
_SPELLINGS: Mapping[Callable[[str], str], float] = {str: 0.7, str.title: 0.2, str.upper: 0.1}
_ON_STRIP = ("black", None)
# Colour of letters and of their edge; half of all words stand on a strip.
_COLOURS = (("black", "white"), ("white", "black"), _ON_STRIP, _ON_STRIP)


def write_over(image: Image.Image, words: str, rng: Random) -> None:
    """Write `words` over an RGB picture: spelling, size, place and colours are drawn from `rng`."""
    (spell,) = rng.choices(list(_SPELLINGS), list(_SPELLINGS.values()))
    largest = _SIZES[0] if rng.random() < 0.7 else rng.choice(_SIZES[:11])
    side, pen = min(image.size), ImageDraw.Draw(image)
    font, block, width, height = _fitted(spell(_without_accents(words)), largest, side)
    slack = max(0.0, (side - width) / 2 - 1)
    x = image.width / 2 + rng.uniform(-slack, slack)
    above = (image.height - side) / 2
    y = rng.choice(
        (
            above + height / 2 + 1,
            image.height / 2,
            # Captions stand below more often than anywhere else.
            *[above + side - height / 2 - 2] * 2,
        )
    )
    fill, edge = rng.choice(_COLOURS)
    if edge is None:
        strip = (0, y - height / 2 - 2, image.width, y + height / 2 + 2)
        pen.rectangle(strip, fill=rng.choice(STRIPS))
    pen.multiline_text(
        (x, y),
        block,
        font=font,
        anchor="mm",
        align="center",
        spacing=0,
        fill=fill,
        stroke_width=0 if edge is None else 1,
        stroke_fill=edge,
    )


def _fitted(words: str, largest: int, side: int) -> tuple[Font, str, float, float]:
    """The largest font in which the words fit, their lines, and their width and height."""
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    for size in [size for size in _SIZES if size <= largest]:
        font = _font(size)
        block = "\n".join(_lines(words, font, side - 4))
        box = pen.multiline_textbbox((0, 0), block, font=font, spacing=0, stroke_width=1)
        width, height = box[2] - box[0], box[3] - box[1]
        if width <= side and height <= HEIGHT_SHARE * side:
            break
    return font, block, width, height


@cache
def _font(size: int) -> Font:
    """Pillow's own font (Aileron), of that many pixels."""
    return ImageFont.load_default(size)


def _lines(words: str, font: Font, width: int) -> list[str]:
    lines: list[str] = []
    for word in words.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _without_accents(words: str) -> str:
    """The font has no accents."""
    plain = unicodedata.normalize("NFKD", words)
    return "".join(c for c in plain if not unicodedata.combining(c))
