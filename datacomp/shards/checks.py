"""What is refused before anything is written: absent samples, changed shards, a full disk."""

import shutil
from pathlib import Path

import numpy as np

from datacomp.errors import PoolError, ShardsError, SubsetError
from datacomp.pool.shard_index import has_changed
from datacomp.shards.options import Missing
from datacomp.shards.plan import Absent, Plan
from datacomp.subset import format_uids

_NAMED = 3
LOSSES = ("shard_gap", "truncated_tar", "no_image", "no_uid", "stats_mismatch")
"""Problems of a pool behind which samples may have been lost."""


def refuse_absent(plan: Plan, missing: Missing) -> None:
    """Refuse a subset that would silently become smaller than the pool accounts for.

    Uids that no metadata file has are refused. Rows without a sample are not, since the web forgets
    pictures; but they are where shards are missing or damaged, which may have held them. With
    `Missing.SKIP` nothing of this is. `SubsetError` if there is nothing left.
    """
    pool = plan.pool
    skip = missing is Missing.SKIP
    if plan.unknown.entries and not skip:
        raise SubsetError(
            f"the pool {pool.url} lacks {_counted(plan.unknown)}. Use the pool that the subset was "
            "selected from, or pass --missing skip to leave them out."
        )
    counts = pool.require_manifest().problem_counts
    losses = ", ".join(f"{counts[kind]:,} {kind}" for kind in LOSSES if kind in counts)
    if plan.dead.entries and losses and not skip:
        raise SubsetError(
            f"the shards of {pool.url} lack {_counted(plan.dead)}, and they may be in what the "
            f"pool lost ({losses}; see: datacomp pool info {pool.url}). Mend the pool and index it "
            "again, or pass --missing skip to leave them out."
        )
    if not plan.n_entries:
        raise SubsetError(
            f"nothing to write: of the subset, {plan.unknown.entries:,} entries are not in the "
            f"pool {pool.url}, {plan.dead.entries:,} have no sample in its shards, "
            f"{plan.outside:,} have theirs in shards that were not chosen"
        )


def refuse_changed(plan: Plan) -> None:
    """`PoolError` naming the first shard to read that is not the file that was indexed."""
    for number in np.unique(plan.index.samples["shard"][plan.positions]).tolist():
        shard = plan.pool.shards[number]
        if has_changed(plan.pool.folder, shard):
            raise PoolError(
                f"{plan.pool.folder.full(shard.path)} was changed since it was indexed. "
                f"Run: datacomp pool index {plan.pool.url}"
            )


def refuse_full_disk(plan: Plan, out: Path) -> None:
    """`ShardsError` with both numbers if the shards cannot fit where `out` is or will be."""
    there = [file.stat().st_size for file in out.glob("*.tar")] if out.is_dir() else []
    needed, free = int(plan.n_bytes().sum()) - sum(there), free_bytes(out)
    if needed > free:
        raise ShardsError(
            f"the shards need {needed / 1e9:,.2f} GB more, {out} has {free / 1e9:,.2f} GB free. "
            "Make room, or write to another disk."
        )


def free_bytes(out: Path) -> int:
    """Free bytes where a folder is or will be."""
    place = out.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _counted(absent: Absent) -> str:
    entries = "1 entry" if absent.entries == 1 else f"{absent.entries:,} entries"
    first = ", ".join(format_uids(absent.uids[:_NAMED]))
    more = ", ..." if len(absent.uids) > _NAMED else ""
    return f"{entries} of the subset ({len(absent.uids):,} uids: {first}{more})"
