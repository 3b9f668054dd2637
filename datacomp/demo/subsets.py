"""The subsets of the demo's methods; the oracle is the only one that reads the truth."""

from collections.abc import Mapping
from pathlib import Path

from datacomp.demo.methods import Method
from datacomp.filtering import Filter, rows_to_pass, run_filter
from datacomp.filtering.reporting import TRUE_KINDS
from datacomp.filtering.tree import describe, from_tree
from datacomp.pool import Pool
from datacomp.pool.indexing import StartProgress
from datacomp.subset import Subset, parse_uids, read_lock, read_subset, write_subset


def make_filter(method: Method, places: Mapping[str, str]) -> Filter | None:
    """The filter that makes a method's subset, given the paths of its needs; None: the oracle."""
    if method.selection is None:
        return None
    return from_tree(method.placed(places), where=method.name)


def make_subset(
    method: Method,
    chosen: Filter | None,
    pool: Pool,
    folder: Path,
    scores: Path,
    progress: StartProgress,
) -> Path:
    """Write the method's subset into `folder`; its path.

    One that is there for this pool is left alone, unless the method needs something that may have
    changed: then the score store knows what must be computed again.
    """
    path = folder / f"{method.stem}.npy"
    pool_id = pool.require_manifest().pool_id
    lock = read_lock(path) if path.exists() else None
    if lock and not method.needs and lock.get("pool_id") == pool_id:
        same = chosen is None or lock.get("selection") == describe(chosen)
        if same and read_subset(path).sha256 == lock.get("sha256"):
            return path
    if chosen is None:
        made = {"operation": "oracle", "pool_id": pool_id, "kinds": TRUE_KINDS, "uses_truth": True}
        write_subset(_oracle(pool), path, made)
        return path
    with progress(f"filter {method.name}", rows_to_pass(chosen, pool)) as bar:
        result = run_filter(chosen, pool, scores, progress=bar)
    result.write(path)
    return path


def _oracle(pool: Pool) -> Subset:
    truth = pool.truth()
    kept = [kind in TRUE_KINDS for kind in truth["truth_kind"].to_pylist()]
    return Subset.from_uids(parse_uids(truth["uid"])[kept])
