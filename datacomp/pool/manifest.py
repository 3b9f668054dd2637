"""`pool.json`: what a pool holds, what is wrong with it, and the id that runs and reports name.

Knows the file's form; `indexing` fills it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from datacomp.errors import PoolError
from datacomp.files import sha256_json
from datacomp.pool.folder import Folder

FILE_NAME = "pool.json"
FORMAT = "datacomp-pool/1"
LISTED_PROBLEMS = 200

PROBLEM_KINDS: Mapping[str, str] = {
    "unreadable_parquet": "a metadata file, or a uid in it, cannot be read: its rows are lost",
    "missing_column": "a metadata file lacks a column that the others have, or needs",
    "null_caption": "a row, or a sample, has no caption",
    "duplicate_uid": "a uid occurs more than once; reading takes the first sample, in shard order",
    "missing_features": "a metadata file has no .npz beside it, though others have",
    "unreadable_features": "an .npz cannot be read",
    "feature_rows": "an .npz has another number of rows than its metadata file",
    "shard_gap": "the numbering of the shards has a hole: a shard is missing",
    "truncated_tar": "a shard breaks off; the samples before that point are usable",
    "no_image": "a sample in a shard has no picture: it cannot be read",
    "no_uid": "a sample in a shard has no valid uid in its json: it cannot be found",
    "corrupt_image": "a picture cannot be decoded (looked for with --verify-images)",
    "unknown_uid": "a sample's uid is not in the metadata: no subset can choose it",
    "unreadable_stats": "a shard's _stats.json is missing or cannot be read",
    "stats_mismatch": "a shard holds another number of samples than its _stats.json says",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be; `sample` is a key in a shard, or a uid."""

    kind: str
    file: str
    sample: str | None
    detail: str


@dataclass(frozen=True)
class PartRecord:
    """A metadata file as it was indexed; `features` maps an npz key to [rows, dimensions]."""

    name: str
    size: int
    n_rows: int
    columns: Mapping[str, str]
    uids_sha256: str
    features: Mapping[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardRecord:
    """A shard as it was indexed."""

    name: str
    size: int
    n_samples: int


@dataclass(frozen=True)
class Manifest:
    """What `pool.json` says.

    `n_samples` counts pictures that can be read from shards, `n_dead` the rows that have none (the
    web forgets pictures: this is normal). `problems` holds the first 200 of each kind,
    `problem_counts` counts all of them; the rest stand in `index/<index_id>/problems.jsonl`.
    """

    pool_id: str
    index_id: str
    n_rows: int
    n_samples: int
    n_dead: int
    parts: tuple[PartRecord, ...]
    shards: tuple[ShardRecord, ...]
    problem_counts: Mapping[str, int]
    problems: tuple[Problem, ...]
    unreadable: tuple[str, ...] = ()
    sources: tuple[Mapping[str, Any], ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_problems(self) -> int:
        """All problems, listed or not."""
        return sum(self.problem_counts.values())


def pool_id(parts: Iterable[PartRecord]) -> str:
    """sha256 over the columns, row counts and uids of the parts, whatever their names and order."""
    parts = list(parts)
    return sha256_json(
        {
            "schema": sorted(
                {f"{name}: {kind}" for p in parts for name, kind in p.columns.items()}
            ),
            "parts": sorted([p.n_rows, p.uids_sha256] for p in parts),
        }
    )


def count_problems(problems: Iterable[Problem]) -> dict[str, int]:
    """How many problems there are of each kind that occurs."""
    return dict(sorted(Counter(problem.kind for problem in problems).items()))


def first_of_each(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first `LISTED_PROBLEMS` of each kind, in their order."""
    seen: Counter[str] = Counter()
    kept = []
    for problem in problems:
        seen[problem.kind] += 1
        if seen[problem.kind] <= LISTED_PROBLEMS:
            kept.append(problem)
    return tuple(kept)


def to_json(manifest: Manifest) -> dict[str, Any]:
    """The JSON value of a manifest."""
    return {"format": FORMAT, **asdict(manifest)}


def read_manifest(folder: Folder) -> Manifest | None:
    """Read `pool.json`, None if there is none; `PoolError` if it is of no known form."""
    try:
        data = folder.read_bytes(FILE_NAME)
    except FileNotFoundError:
        return None
    try:
        value = json.loads(data)
        found = value.pop("format")
        if found != FORMAT:
            raise PoolError(
                f"{folder.full(FILE_NAME)} has the format {found!r}, expected {FORMAT!r}. "
                f"Run: datacomp pool index {folder.url}"
            )
        value["parts"] = tuple(PartRecord(**part) for part in value["parts"])
        value["shards"] = tuple(ShardRecord(**shard) for shard in value["shards"])
        value["problems"] = tuple(Problem(**problem) for problem in value["problems"])
        value["sources"] = tuple(value["sources"])
        value["unreadable"] = tuple(value["unreadable"])
        return Manifest(**value)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PoolError(
            f"{folder.full(FILE_NAME)} is not a pool manifest ({type(error).__name__}: {error}). "
            f"Remove it and run: datacomp pool index {folder.url}"
        ) from error
