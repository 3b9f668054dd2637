"""What a tiny pool is made of: its size, its seed, and the mix of clean rows and planted noise."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.files import sha256_json

Kind = Literal[
    "clean",
    "wrong_caption",
    "other_language",
    "junk",
    "bad_geometry",
    "text_shortcut",
    "near_duplicate",
]

KINDS: Mapping[Kind, str] = {
    "clean": "the picture's own name, in one of several alt-text styles",
    "wrong_caption": "another picture's name, in the same styles",
    "other_language": "the picture's own name in another language",
    "junk": "a file name, a number, an advertisement, one word",
    "bad_geometry": "too small, or of extreme shape; the caption is right",
    "text_shortcut": "another emoji's name, also written over the picture",
    "near_duplicate": "a clean row again: re-encoded, cropped, recoloured",
}

DEFAULT_MIX: Mapping[Kind, float] = {
    "clean": 0.35,
    "wrong_caption": 0.20,
    "other_language": 0.10,
    "junk": 0.10,
    "bad_geometry": 0.05,
    "text_shortcut": 0.10,
    "near_duplicate": 0.10,
}

VERSION = 3
"""Rises when the same parameters would give other bytes."""

MIN_PARTS = 4
PART_ROWS = 250_000


@dataclass(frozen=True, kw_only=True)
class TinyConfig:
    """The builder's parameters; the same ones give the same bytes.

    `mix` holds shares by kind, in any unit: they are divided by their sum. `split` is the split of
    pictures that the pool is made of. Of all rows, `dead_share` have no sample in the shards, as
    links die on the web. Without `images` there are no shards and no features, and the scores are
    drawn at random: a pool for speed tests. With `labels` the metadata has a column `label`, the
    name of what the picture shows.
    """

    rows: int = 12_000
    seed: int = 0
    mix: Mapping[Kind, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    split: Literal["pool", "evaluation", "teacher"] = "pool"
    shard_rows: int = 1_000
    dead_share: float = 0.01
    images: bool = True
    labels: bool = False

    def __post_init__(self) -> None:
        if self.rows < MIN_PARTS:
            raise UsageError(f"a tiny pool has at least {MIN_PARTS} rows, got {self.rows}")
        if not 1 <= self.shard_rows <= 1_000:
            raise UsageError(f"a shard holds 1 to 1,000 rows, got {self.shard_rows}")
        if not 0 <= self.dead_share < 1:
            raise UsageError(f"dead_share is a share from 0 to below 1, got {self.dead_share}")
        if unknown := sorted(set(self.mix) - set(KINDS)):
            raise UsageError(f"no kind of row is named {unknown[0]!r}; known: {', '.join(KINDS)}")
        if any(share < 0 for share in self.mix.values()) or not sum(self.mix.values()) > 0:
            raise UsageError(f"the mix needs shares that are not negative, got {dict(self.mix)}")
        if self.counts()["near_duplicate"] and not self.counts()["clean"]:
            raise UsageError("near duplicates repeat clean rows, of which this mix has none")

    @cached_property
    def build_id(self) -> str:
        """Hex sha256 of the version and all parameters: builds of other content have another."""
        return sha256_json([VERSION, self.to_json()])

    def counts(self) -> dict[Kind, int]:
        """How many rows there are of each kind; what rounding leaves goes to the largest rests."""
        shares = np.array([self.mix.get(kind, 0.0) for kind in KINDS])
        exact = shares / shares.sum() * self.rows
        counts = np.floor(exact).astype(int)
        rest = self.rows - counts.sum()
        counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
        return dict(zip(KINDS, counts.tolist(), strict=True))

    def part_bounds(self) -> npt.NDArray[np.int64]:
        """First row of every part, and the end of the last: four parts, more in large pools."""
        parts = max(MIN_PARTS, -(-self.rows // PART_ROWS))
        return np.linspace(0, self.rows, parts + 1).astype(np.int64)

    def to_json(self) -> dict[str, Any]:
        """The JSON value that `pool.json` keeps."""
        return {**asdict(self), "mix": {kind: float(self.mix.get(kind, 0.0)) for kind in KINDS}}


def parse_mix(text: str) -> dict[Kind, float]:
    """Read `clean=0.8,junk=0.2`; `UsageError` if it is not that."""
    mix: dict[Any, float] = {}
    for piece in text.split(","):
        kind, _, share = piece.partition("=")
        try:
            mix[kind.strip()] = float(share)
        except ValueError:
            raise UsageError(f"{piece!r} in the mix {text!r} is not KIND=SHARE") from None
    return mix
