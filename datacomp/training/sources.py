"""The sources of a run that reads in sequence: folders of tars with weights, and what they are.

    sources = open_sources([parse_source("shards=2"), parse_source("s3://bucket/mine")])
    origin, dead_links = origin_of_sources(sources)

One folder that `datacomp reshard` made of a whole subset is that subset of its pool. Anything else
is a pool of its own, named by the sources' hashes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np

from datacomp.errors import UsageError
from datacomp.files import sha256_json
from datacomp.pool.indexing import StartProgress, silent
from datacomp.training.mixture import whole_weights
from datacomp.training.run import Origin, SourceRecord, SubsetRecord
from datacomp.training.tars import Source, open_source

_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class SourceSpec:
    """A folder of tars by path or URL, and its weight among a run's sources."""

    url: str
    weight: int | float = 1


@dataclass(frozen=True)
class WeightedSource:
    """A source that is open."""

    source: Source
    weight: int | float


def parse_source(text: str) -> SourceSpec:
    """`FOLDER`, or `FOLDER=WEIGHT`; a folder that is there under the whole text is taken as it is.

    `UsageError` for a weight that is not a number above 0.
    """
    if Path(text).is_dir():
        return SourceSpec(text)
    found = _WEIGHTED.fullmatch(text)
    weight = 0 if found is None else float(found[2]) if "." in found[2] else int(found[2])
    if found and weight:
        return SourceSpec(found[1], weight)
    folder, _, _ = text.rpartition("=")
    if found or (folder and Path(folder).is_dir()):
        raise UsageError(f"a source's weight is a number above 0, such as 2 or 0.5; got {text!r}")
    return SourceSpec(text)


def open_sources(
    specs: Sequence[SourceSpec], progress: StartProgress = silent
) -> tuple[WeightedSource, ...]:
    """The sources in the order of their hashes, so that the order in which they are named is free.

    Raises `UsageError` if two are the same, `TrainingError` if one is not what it should be.
    """
    opened = [WeightedSource(open_source(spec.url, progress), spec.weight) for spec in specs]
    seen: dict[str, SourceSpec] = {}
    for each, spec in zip(opened, specs, strict=True):
        if (other := seen.setdefault(each.source.sha256, spec)) is not spec:
            raise UsageError(
                f"{other.url} and {spec.url} hold the same tars: name one, with a larger weight"
            )
    return tuple(sorted(opened, key=lambda each: each.source.sha256))


def origin_of_sources(sources: Sequence[WeightedSource]) -> tuple[Origin, int]:
    """What the sources are to a run's record, and how many entries of its subset have no sample."""
    records = tuple(
        SourceRecord(each.source.name, each.source.sha256, each.source.n, each.weight)
        for each in sources
    )
    if len(sources) == 1 and (subset := _whole_subset(sources[0].source, records)) is not None:
        return subset
    whole = whole_weights([each.weight for each in sources])
    weights = [weight // gcd(*whole) for weight in whole]
    identities = [each.source.sha256 for each in sources]
    sha256 = sha256_json(list(zip(identities, weights, strict=True)))
    n, n_unique = sum(record.n for record in records), _n_unique(sources)
    name = "+".join(record.name for record in records)[:200]
    subset_record = SubsetRecord(name, sha256, n, n_unique)
    return Origin(f"sources-{sha256}", n, {}, subset_record, records), 0


def _whole_subset(source: Source, records: tuple[SourceRecord, ...]) -> tuple[Origin, int] | None:
    """The pool and subset of a reshard that left nothing out but what has no sample."""
    manifest = source.manifest
    if manifest is None:
        return None
    identity, skipped, subset = manifest["identity"], manifest["skipped"], manifest["subset"]
    left_out = skipped["unknown_uid"]["entries"] + skipped["other_input_shards"]["entries"]
    if left_out or identity["duplicates"] != "first":
        return None
    record = SubsetRecord(source.name, identity["subset_sha256"], subset["n"], subset["n_unique"])
    origin = Origin(
        pool_id=identity["pool_id"],
        pool_size=manifest["pool_rows"],
        pool_problems=manifest["pool_problems"],
        subset=record,
        sources=records,
    )
    return origin, subset["n"] - source.n


def _n_unique(sources: Sequence[WeightedSource]) -> int:
    uids = [
        each.source.places(number, 0, tar.n)[0]
        for each in sources
        for number, tar in enumerate(each.source.tars)
    ]
    return len(np.unique(np.concatenate(uids)))
