"""What can be wrong with shards beyond the inside of one: numbering, counts, strange uids."""

import json
from collections.abc import Sequence

import numpy as np

from datacomp.pool.folder import File, Folder
from datacomp.pool.manifest import Problem
from datacomp.pool.samples import search_uids
from datacomp.pool.shard_merge import MergedIndex
from datacomp.subset.uids import UidArray, format_uids, sort_uids, starts_of_runs

_STATS = "_stats.json"


def numbering_gaps(shards: Sequence[File], stats: Sequence[File]) -> list[Problem]:
    """A problem per number from 0 to the last shard, or its stats, that has no tar."""
    there = {shard.stem for shard in shards}
    expected = {file.name.removesuffix(_STATS) for file in stats}
    numbered = [name for name in there | expected if name.isdecimal()]
    if numbered and len({len(name) for name in numbered}) == 1:
        width, last = len(numbered[0]), max(int(name) for name in numbered)
        expected |= {f"{number:0{width}d}" for number in range(last + 1)}
    neighbours = f"there are {len(there):,} shards"
    return [
        Problem("shard_gap", f"shards/{name}.tar", None, f"is missing; {neighbours}")
        for name in sorted(expected - there)
    ]


def stats_problems(
    folder: Folder, shards: Sequence[File], stats: Sequence[File], n_samples: Sequence[int]
) -> list[Problem]:
    """Compare each shard with its stats; a pool without any stats has no such problem."""
    if not stats:
        return []
    by_stem = {file.name.removesuffix(_STATS): file for file in stats}
    problems = []
    for shard, n in zip(shards, n_samples, strict=True):
        file = by_stem.get(shard.stem)
        path = file.path if file else f"{shard.path.removesuffix('.tar')}{_STATS}"
        try:
            successes = json.loads(folder.read_bytes(path))["successes"]
        except FileNotFoundError:
            detail = "is missing, though other shards have one"
            problems.append(Problem("unreadable_stats", path, None, detail))
        except (OSError, ValueError, KeyError, TypeError) as error:
            detail = f"cannot be read: {type(error).__name__}: {error}"
            problems.append(Problem("unreadable_stats", path, None, detail))
        else:
            if successes != n:
                detail = f"says {successes!r} samples, {shard.name} has {n:,} that can be read"
                problems.append(Problem("stats_mismatch", path, None, detail))
    return problems


def uid_problems(merged: MergedIndex, paths: Sequence[str], metadata: UidArray) -> list[Problem]:
    """Samples whose uid stands in another sample too, or in no metadata file."""
    if not len(merged.uids):
        return []
    starts = starts_of_runs(merged.uids)
    unknown = search_uids(sort_uids(metadata), merged.uids) < 0
    problems = []
    for row in np.flatnonzero(~starts | unknown).tolist():
        uid = format_uids(merged.uids[row : row + 1])[0]
        file, key = paths[int(merged.samples["shard"][row])], _key(merged, row)
        if unknown[row]:
            detail = f"uid {uid} is in no metadata file"
            problems.append(Problem("unknown_uid", file, key, detail))
        if not starts[row]:
            first = int(np.flatnonzero(starts[: row + 1])[-1])
            holder = paths[int(merged.samples["shard"][first])]
            detail = f"uid {uid} is also sample {_key(merged, first)} of {holder}, which is read"
            problems.append(Problem("duplicate_uid", file, key, detail))
    return problems


def _key(merged: MergedIndex, row: int) -> str:
    return bytes(merged.keys[row]).decode(errors="backslashreplace")
