"""Which row is what: kind, picture, caption and original size of every row, from the seed alone.

A row is computed when it is asked for, from its number, so that a large pool needs no memory and a
near-duplicate finds the row that it repeats. Draws nothing and writes nothing.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.pool.tiny import captions
from datacomp.pool.tiny.config import KINDS, Kind, TinyConfig
from datacomp.pool.tiny.pictures import Concept, Picture, concepts

# (width, height) of pictures as web pages have them; most pictures of single things are square.
WEB_SIZES = (
    *((300, 300), (400, 400), (500, 500), (512, 512), (600, 600), (800, 800), (1000, 1000)),
    *((1024, 1024), (1200, 1200), (640, 480), (800, 600), (480, 640)),
)
ICON_SIDES = (12, 16, 20, 24, 28, 32, 40, 48)
BANNER_SIZES = ((728, 90), (468, 60), (970, 90), (1200, 200), (160, 600), (120, 600), (90, 728))
_KIND_NAMES: tuple[Kind, ...] = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the pool; `picture` is a position among the split's pictures.

    `written` are the words that are written over the picture. `source` is the number of the clean
    row that a near-duplicate repeats. A dead row has no sample in the shards.
    """

    number: int
    uid: str
    kind: Kind
    picture: int
    caption: str
    written: str | None
    width: int
    height: int
    source: int | None
    dead: bool

    def rng(self) -> Random:
        """Randomness of this row's picture, apart from that of its plan."""
        return Random(f"picture {self.uid}")


@dataclass(frozen=True)
class Plan:
    """All rows of a pool; `kinds` and `picture_of` have one entry per row."""

    config: TinyConfig
    pictures: Sequence[Picture]
    kinds: npt.NDArray[np.uint8]
    picture_of: npt.NDArray[np.int64]
    source_of: npt.NDArray[np.int64]
    dead: npt.NDArray[np.bool_]

    def row(self, number: int) -> Row:
        """Compute one row."""
        kind = _KIND_NAMES[self.kinds[number]]
        picture = int(self.picture_of[number])
        uid = uid_of(self.config.build_id, number)
        rng = Random(uid)
        width, height = _original_size(kind, rng)
        source = int(self.source_of[number]) if kind == "near_duplicate" else None
        concept = self._named(kind, picture, rng)
        caption = self.row(source).caption if source is not None else _caption(kind, concept, rng)
        written = concept.name if kind == "text_shortcut" else None
        dead = bool(self.dead[number])
        return Row(number, uid, kind, picture, caption, written, width, height, source, dead)

    def label(self, row: Row) -> str:
        """The name of what the picture of a row shows, whatever its caption says."""
        return self.pictures[row.picture].concept.name

    def _named(self, kind: Kind, picture: int, rng: Random) -> Concept:
        """What the caption names; what is written may be any emoji's name, drawn here or not."""
        shown = self.pictures[picture].concept
        while True:
            if kind == "wrong_caption":
                named = self.pictures[rng.randrange(len(self.pictures))].concept
            elif kind == "text_shortcut":
                named = rng.choice(concepts())
            else:
                return shown
            if named.name != shown.name:
                return named


def make_plan(config: TinyConfig, pictures: Sequence[Picture]) -> Plan:
    """Assign kinds and pictures; every picture is used about equally often, clean and not clean."""
    if len({picture.concept.name for picture in pictures}) < 2:
        raise UsageError(f"the split {config.split!r} has fewer than two different pictures")
    rng = np.random.default_rng([config.seed, 0])
    kinds = np.repeat(np.arange(len(KINDS), dtype=np.uint8), list(config.counts().values()))
    rng.shuffle(kinds)
    picture_of = np.empty(config.rows, np.int64)
    foreign = captions.OTHER_STYLES.keys()
    named = [i for i, picture in enumerate(pictures) if foreign & picture.concept.names.keys()]
    everything = np.arange(len(pictures))
    for of_kind, candidates in (
        (_is(kinds, "clean"), everything),
        (_is(kinds, "other_language"), np.array(named, np.int64)),
        (~_is(kinds, "clean", "other_language", "near_duplicate"), everything),
    ):
        rows = np.flatnonzero(of_kind)
        if len(rows) and not len(candidates):
            raise UsageError(f"no picture of the split {config.split!r} has foreign names")
        picture_of[rows] = np.resize(rng.permutation(candidates), len(rows)) if len(rows) else 0
    source_of = np.full(config.rows, -1, np.int64)
    duplicates = np.flatnonzero(_is(kinds, "near_duplicate"))
    if len(duplicates):
        source_of[duplicates] = rng.choice(np.flatnonzero(_is(kinds, "clean")), len(duplicates))
        picture_of[duplicates] = picture_of[source_of[duplicates]]
    dead = np.zeros(config.rows, bool)
    dead[rng.permutation(config.rows)[: round(config.rows * config.dead_share)]] = config.images
    return Plan(config, pictures, kinds, picture_of, source_of, dead)


def _caption(kind: Kind, concept: Concept, rng: Random) -> str:
    if kind == "junk":
        return captions.junk(rng)
    if kind == "other_language":
        # The plan gives this kind only pictures that have a name in another language.
        return cast(str, captions.foreign(concept.names, rng))
    return captions.english(concept.name, concept.group, rng)


def uid_of(build_id: str, number: int) -> str:
    """The uid of a row: no order, no meaning, and none that a pool of other content has."""
    return hashlib.sha256(f"datacomp tiny {build_id} row {number}".encode()).hexdigest()[:32]


def _original_size(kind: Kind, rng: Random) -> tuple[int, int]:
    if kind != "bad_geometry":
        return rng.choice(WEB_SIZES)
    if rng.random() < 0.5:
        return rng.choice(BANNER_SIZES)
    side = rng.choice(ICON_SIDES)
    return side, side


def _is(kinds: npt.NDArray[np.uint8], *names: Kind) -> Any:
    return np.isin(kinds, [_KIND_NAMES.index(name) for name in names])
