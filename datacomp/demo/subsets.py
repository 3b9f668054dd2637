"""The demo's methods and their subsets; the oracle is the only one that reads the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datacomp.filtering import filter_class, filter_from_params, rows_to_pass, run_filter
from datacomp.pool import Pool
from datacomp.pool.indexing import StartProgress
from datacomp.subset import Subset, parse_uids, read_lock, read_subset, write_subset

# Rows of these kinds show what their caption says; the others are noise.
TRUE_KINDS = ("clean", "bad_geometry", "near_duplicate")


@dataclass(frozen=True)
class Method:
    """A row of the board: a filter with parameters, or, with `filter` None, the oracle."""

    name: str
    filter: str | None
    params: Mapping[str, float] = field(default_factory=dict)
    description: str = ""


METHODS = (
    Method("no_filter", "no_filter", {}, "Every row of the pool."),
    Method("random 30%", "random", {"fraction": 0.3}, "A random 30% of the pool."),
    Method("basic_filter", "basic_filter", {}, "English, long enough, large enough."),
    Method("clip_score 30%", "clip_score", {"fraction": 0.3}, "The best 30% by CLIP score."),
    Method("oracle", None, {}, "The rows whose caption is true: reads what the builder planted."),
)


def make_subset(
    method: Method, pool: Pool, folder: Path, scores: Path, progress: StartProgress
) -> Path:
    """Write the method's subset into `folder`, unless it is there for this pool; its path."""
    path = folder / f"{method.name.split()[0]}.npy"
    pool_id = pool.require_manifest().pool_id
    lock = read_lock(path) if path.exists() else None
    if lock and lock.get("pool_id") == pool_id and read_subset(path).sha256 == lock.get("sha256"):
        return path
    if method.filter is None:
        made = {"operation": "oracle", "pool_id": pool_id, "kinds": TRUE_KINDS, "uses_truth": True}
        write_subset(_oracle(pool), path, made)
        return path
    chosen = filter_from_params(filter_class(method.filter), dict(method.params))
    with progress(f"filter {method.name}", rows_to_pass(chosen, pool)) as bar:
        result = run_filter(chosen, pool, scores, progress=bar)
    result.write(path)
    return path


def _oracle(pool: Pool) -> Subset:
    truth = pool.truth()
    kept = [kind in TRUE_KINDS for kind in truth["truth_kind"].to_pylist()]
    return Subset.from_uids(parse_uids(truth["uid"])[kept])
