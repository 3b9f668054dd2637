"""The evaluation sets of the tiny suite, made from held-out pictures: what is in each, and why.

Every set serves one metric kind of DataComp's 38 tasks. Class names are words that captions use,
because a model of this size knows no others: it can learn "cat" and "food & drink" from
alt-texts, but not "mammal". Pictures are the evaluation split only; all choices are fixed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageOps

from datacomp.errors import require
from datacomp.evaluation.writer import EvaluationSet, cls, lines, npy, png, sample_key
from datacomp.pool.tiny.pictures import NATIVE_PIXELS, Picture, pictures

NAME_TEMPLATES = ("{c}", "a {c} emoji", "picture of a {c}")
GROUP_TEMPLATES = ("{c}", "a sticker, {c}", "a picture in the category {c}")
COLOUR_TEMPLATES = ("{c}", "a {c} sticker", "a {c} drawing on a white background")
DIGIT_TEMPLATES = ("{c}", "keycap {c}", "the number {c}")
CAPTION_STYLES = ("{c}", "a simple drawing of a {c}", "this is a {c}")

ARTISTS = ("twemoji", "openmoji")

# Fills of Twemoji's own coloured squares, so that the words mean what captions made them mean; of
# neighbours such as red and orange a tiny model's seed decides which one wins.
COLOURS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "red": (221, 46, 68),
        "yellow": (253, 203, 88),
        "green": (120, 177, 89),
        "blue": (85, 172, 238),
        "black": (49, 55, 61),
    }
)
PICTURES_PER_COLOUR = 60

# Among a few hundred names a tiny model is right often enough for differences to show.
NAMED, RETRIEVED = 200, 200

# Things that several names name; a picture shows the first that its name contains.
THINGS: Mapping[str, str] = MappingProxyType(
    {
        "flag": r"flag$",
        "keycap": r"keycap",
        "family": r"^family",
        "face": r"\bface\b",
        "cat": r"\bcat\b",
        "dog": r"(?<!hot )\bdog\b",
        "clock": r"clock$|-thirty",
        "heart": r"\bhearts?\b",
        "square": r"square",
        "circle": r"circle",
        "moon": r"\bmoon$",
        "star": r"\bstar$",
        "cloud": r"cloud",
        "arrow": r"arrow",
        "button": r"button",
        "wheelchair": r"wheelchair",
        "ball": r"ball$",
        "book": r"\bbooks?$|notebook",
        "person": r"^person",
        "hand": r"\bhands?$|\bfist$",
    }
)

# A long tail over the nine groups: the i-th keeps about 0.7^i of what the first keeps.
TAIL_FIRST, TAIL_RATIO = 120, 0.72
TILT_DEGREES = 15

N_ASSOCIATIONS = 600
CANDIDATES = (10, 12)
ASSOCIATED = (2, 5)
# Words of names that show nothing.
_NOT_CUES = frozenset(
    re.findall(
        r"\w+",
        "and are at behind down facing for from getting high in large left medium new no not of on "
        "one out over own right showing slightly small the two type up with without",
    )
)


@dataclass(frozen=True)
class Drawn:
    """A held-out picture, rendered and encoded once for all sets that show it."""

    picture: Picture
    image: Image.Image
    png: bytes

    @property
    def name(self) -> str:
        """What it shows, in English."""
        return self.picture.concept.name

    @property
    def group(self) -> str:
        """Its group as captions write it, in lower case."""
        return self.picture.concept.group.lower()


def tiny_sets() -> tuple[EvaluationSet, ...]:
    """All evaluation sets, one a task of the suite."""
    # Some emoji look exactly alike (the flags of Norway and its islands, families): the first
    # of them stays, because a picture must not be right under one name and wrong under another.
    held_out: dict[bytes, Drawn] = {}
    for picture in pictures("evaluation"):
        image = picture.render(NATIVE_PIXELS)
        held_out.setdefault(image.tobytes(), Drawn(picture, image, png(image)))
    return tuple(make(list(held_out.values())) for make in _MAKERS)


def _names(held_out: Sequence[Drawn]) -> EvaluationSet:
    others = [drawn for drawn in held_out if drawn.group != "flags"]
    chosen = Random("names").sample(others, NAMED)
    names = [drawn.name for drawn in chosen]
    return _classified("names", _pngs(chosen), range(len(names)), names, NAME_TEMPLATES)


def _artists(held_out: Sequence[Drawn]) -> EvaluationSet:
    names = [drawn.name for drawn in held_out]
    artists = [[ARTISTS.index(drawn.picture.artist)] for drawn in held_out]
    labels = range(len(names))
    return _classified("artists", _pngs(held_out), labels, names, NAME_TEMPLATES, artists)


def _things(held_out: Sequence[Drawn]) -> EvaluationSet:
    things = list(THINGS)
    found = [(drawn, things.index(t)) for drawn in held_out if (t := thing(drawn.name))]
    chosen, labels = [drawn for drawn, _ in found], [label for _, label in found]
    return _classified("things", _pngs(chosen), labels, things, NAME_TEMPLATES)


def _groups(held_out: Sequence[Drawn]) -> EvaluationSet:
    groups = _group_names(held_out)
    labels = [groups.index(drawn.group) for drawn in held_out]
    return _classified("groups", _pngs(held_out), labels, groups, GROUP_TEMPLATES)


def _wild(held_out: Sequence[Drawn]) -> EvaluationSet:
    groups = _group_names(held_out)
    by_size = sorted(groups, key=lambda g: (-len(_of_group(held_out, g)), g))
    chosen: list[tuple[Drawn, int]] = []
    for i, group in enumerate(by_size):
        members = _of_group(held_out, group)
        kept = members[: max(3, round(TAIL_FIRST * TAIL_RATIO**i))]
        chosen += [(drawn, groups.index(group)) for drawn in kept]
    images = [png(_tilted(drawn.image)) for drawn, _ in chosen]
    return _classified("wild", images, [label for _, label in chosen], groups, GROUP_TEMPLATES)


def _flags(held_out: Sequence[Drawn]) -> EvaluationSet:
    flags = _of_group(held_out, "flags")
    names = [drawn.name for drawn in flags]
    return _classified("flags", _pngs(flags), range(len(flags)), names, NAME_TEMPLATES)


def _colours(held_out: Sequence[Drawn]) -> EvaluationSet:
    solid = [drawn for drawn in held_out if drawn.group != "flags"]
    shapes = {silhouette(drawn.image, (0, 0, 0)).tobytes(): drawn for drawn in solid}
    chosen = Random("colours").sample(list(shapes.values()), PICTURES_PER_COLOUR * len(COLOURS))
    labels = [i % len(COLOURS) for i in range(len(chosen))]
    fills, rng = list(COLOURS.values()), Random("shades")
    images = [
        png(silhouette(drawn.image, _shade(fills[label], rng)))
        for drawn, label in zip(chosen, labels, strict=True)
    ]
    return _classified("colours", images, labels, list(COLOURS), COLOUR_TEMPLATES)


def _shade(colour: tuple[int, int, int], rng: Random) -> tuple[int, int, int]:
    """A colour near to this one; of one exact colour a model knows all pictures or none."""
    hue, lightness, saturation = rgb_to_hls(*(channel / 255 for channel in colour))
    hue += rng.uniform(-0.04, 0.04)
    lightness = min(max(lightness + rng.uniform(-0.2, 0.2), 0.02), 0.9)
    saturation = min(max(saturation + rng.uniform(-0.3, 0.3), 0.0), 1.0)
    red, green, blue = hls_to_rgb(hue % 1, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def _digits(_: Sequence[Drawn]) -> EvaluationSet:
    digits = require("sklearn.datasets", "tiny").load_digits()
    images = []
    for ink in digits.images:  # (8, 8), 0 to 16, 16 being full ink
        grey = Image.fromarray((255 - ink * 255 / 16).astype(np.uint8))
        size = (NATIVE_PIXELS, NATIVE_PIXELS)
        images.append(png(grey.resize(size, Image.Resampling.BICUBIC).convert("RGB")))
    return _classified("digits", images, digits.target, list("0123456789"), DIGIT_TEMPLATES)


def _retrieval(held_out: Sequence[Drawn]) -> EvaluationSet:
    samples = []
    for i, drawn in enumerate(Random("retrieval").sample(held_out, RETRIEVED)):
        styles = CAPTION_STYLES[: 1 + i % len(CAPTION_STYLES)]
        captions = [style.replace("{c}", drawn.name) for style in styles]
        samples.append({"png": drawn.png, "txt": lines(captions).encode()})
    return EvaluationSet("wds_retrieval_test", {"dataset_type.txt": "retrieval\n"}, tuple(samples))


def _association(held_out: Sequence[Drawn]) -> EvaluationSet:
    words = [set(re.findall(r"[a-z]{3,}", drawn.name.lower())) for drawn in held_out]
    cues = sorted(set().union(*words) - _NOT_CUES)
    with_word = {cue: [i for i, found in enumerate(words) if cue in found] for cue in cues}
    cues = [cue for cue in cues if len(with_word[cue]) >= ASSOCIATED[0]]
    rng = Random("association")
    rows = []
    for number in range(N_ASSOCIATIONS):
        cue = cues[number % len(cues)]
        n = rng.choice(CANDIDATES)
        k = rng.randint(ASSOCIATED[0], min(ASSOCIATED[1], len(with_word[cue])))
        right = rng.sample(with_word[cue], k)
        others = [i for i in range(len(held_out)) if cue not in words[i]]
        candidates = right + rng.sample(others, n - k)
        rng.shuffle(candidates)
        keys = [sample_key(i) for i in candidates]
        rows.append(
            {"cue": cue, "candidates": keys, "associations": sorted(map(sample_key, right))}
        )
    files = {
        "dataset_type.txt": "association\n",
        "associations.jsonl": lines(json.dumps(row) for row in rows),
    }
    samples = tuple({"png": drawn.png} for drawn in held_out)
    return EvaluationSet("wds_association_test", files, samples)


_MAKERS: tuple[Callable[[Sequence[Drawn]], EvaluationSet], ...] = (
    _names,
    _artists,
    _things,
    _groups,
    _wild,
    _flags,
    _colours,
    _retrieval,
    _association,
    _digits,
)


def thing(name: str) -> str | None:
    """Which of THINGS a picture of that name shows."""
    return next((word for word, pattern in THINGS.items() if re.search(pattern, name)), None)


def silhouette(image: Image.Image, fill: tuple[int, int, int]) -> Image.Image:
    """All that is not the white background, in one colour."""
    darkness = ImageOps.invert(ImageOps.grayscale(image))
    mask = darkness.point(lambda value: min(255, value * 8))
    result = Image.new("RGB", image.size, "white")
    result.paste(fill, mask=mask)
    return result


def _tilted(image: Image.Image) -> Image.Image:
    return image.rotate(TILT_DEGREES, Image.Resampling.BICUBIC, fillcolor="white")


def _classified(
    key: str,
    images: Sequence[bytes],
    labels: Sequence[int],
    names: Sequence[str],
    templates: Sequence[str],
    metadata: Sequence[Sequence[int]] | None = None,
) -> EvaluationSet:
    samples = [
        {"png": image, "cls": cls(label)} for image, label in zip(images, labels, strict=True)
    ]
    if metadata is not None:
        for sample, values in zip(samples, metadata, strict=True):
            sample["npy"] = npy(values)
    files = {
        "classnames.txt": lines(names),
        "zeroshot_classification_templates.txt": lines(templates),
    }
    return EvaluationSet(f"wds_{key}_test", files, tuple(samples))


def _pngs(chosen: Sequence[Drawn]) -> list[bytes]:
    return [drawn.png for drawn in chosen]


def _group_names(held_out: Sequence[Drawn]) -> list[str]:
    return sorted({drawn.group for drawn in held_out})


def _of_group(held_out: Sequence[Drawn], group: str) -> list[Drawn]:
    return [drawn for drawn in held_out if drawn.group == group]
