"""What a reshard can be told."""

from dataclasses import dataclass
from enum import StrEnum


class Missing(StrEnum):
    """What becomes of a subset with uids that the pool has no sample of."""

    REFUSE = "refuse"
    SKIP = "skip"


class Duplicates(StrEnum):
    """Which samples are written where several have the same uid: the first, or all of them."""

    FIRST = "first"
    ALL = "all"


class OnError(StrEnum):
    """What samples do whose faces cannot be blurred: stop their shard, or are left out."""

    STOP = "stop"
    SKIP = "skip"


class FaceSource(StrEnum):
    """Where the boxes are told: in the pool's metadata by uid, or in each sample's json member."""

    METADATA = "metadata"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What decides which entry stands where; `num_shards` None takes all from `first_shard` on.

    `first_shard` is the number of an input shard, as in its name.
    """

    samples_per_shard: int = 10_000
    first_shard: int = 0
    num_shards: int | None = None
    duplicates: Duplicates = Duplicates.FIRST


@dataclass(frozen=True, kw_only=True)
class FaceOptions:
    """What to do with faces: blur them, write their boxes into the json member, or both."""

    blur: bool
    inject: bool
    source: FaceSource = FaceSource.METADATA
    webp_quality: int = 100
