"""From pool and subset to shards: plan, refuse what cannot be right, write what is not there."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datacomp import __version__
from datacomp.errors import ShardsError, require
from datacomp.files import sha256_json
from datacomp.pool import Pool
from datacomp.pool.indexing import silent
from datacomp.progress import Progress
from datacomp.shards.checks import refuse_absent, refuse_changed, refuse_full_disk
from datacomp.shards.faces import find_faces
from datacomp.shards.options import FaceOptions, FaceSource, Layout, Missing, OnError
from datacomp.shards.output import SKIPPED, Output, open_output, require_apart, writing
from datacomp.shards.plan import Absent, Plan, make_plan
from datacomp.shards.tasks import Failure, TaskMaker, run_tasks
from datacomp.subset import Subset, format_uids, write_subset

FORMAT = "datacomp-shards/2"
LISTED = 20


@dataclass(frozen=True)
class ReshardReport:
    """What a reshard did, or would do: then `manifest` is None.

    `n_bytes` is what the plan expects; the manifest has the sizes that came out.
    """

    plan: Plan
    n_bytes: int
    written: int
    reused: int
    manifest: dict[str, Any] | None
    seconds: float


def reshard(
    pool: Pool,
    subset: Subset,
    out: Path,
    *,
    layout: Layout | None = None,
    missing: Missing = Missing.REFUSE,
    faces: FaceOptions | None = None,
    on_error: OnError = OnError.STOP,
    sha256: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[..., AbstractContextManager[Progress]] = silent,
) -> ReshardReport:
    """Write the subset's samples as webdataset tars into `out`, with `shards.json` at the end.

    An entry becomes the sample `<uid>-<j>`, j from 0 for each uid, its members copied verbatim, in
    input order; output shard k holds entries k*S to (k+1)*S. Same pool, subset and options: same
    bytes, whatever `workers` is and however often it was stopped; finished shards are not written
    again. A dry run writes nothing. `sha256` puts each shard's into the manifest, for two thirds
    more processor time.

    Raises `SubsetError` for uids that the pool lacks, `PoolError` for a shard that is not what was
    indexed, `ShardsError` if `out` holds other shards, is too small, or a shard failed; then the
    others are finished.
    """
    began = time.monotonic()
    require_apart(out, pool.folder)
    plan = make_plan(pool, subset, layout or Layout())
    refuse_absent(plan, missing)
    refuse_changed(plan)
    n_bytes = int(plan.n_bytes().sum())
    if dry_run:
        return ReshardReport(plan, n_bytes, 0, 0, None, time.monotonic() - began)
    refuse_full_disk(plan, out)
    identity = _identity(plan, subset, faces, sha256)
    with open_output(out, identity, _stamp(pool), overwrite=overwrite) as output:
        reused = len(output.finished)
        if output.manifest is None:
            boxes = _boxes(plan, faces)
            maker = TaskMaker(plan, out, faces, boxes, on_error is OnError.SKIP, sha256)
            _write_missing(output, maker, workers, progress)
            _write_skipped(plan, out)
            output.finish(_manifest(plan, subset, identity, output))
    written = plan.n_shards - reused
    return ReshardReport(plan, n_bytes, written, reused, output.manifest, time.monotonic() - began)


def _write_missing(
    output: Output,
    maker: TaskMaker,
    workers: int,
    progress: Callable[..., AbstractContextManager[Progress]],
) -> None:
    plan = maker.plan
    todo = [number for number in range(plan.n_shards) if number not in output.finished]
    done = sum(np.subtract(*plan.bounds(number)[::-1]) for number in output.finished)
    failures: list[Failure] = []
    with progress("resharding", plan.n_entries, done=int(done), unit="samples") as bar:
        for outcome in run_tasks(maker, todo, workers):
            if isinstance(outcome, Failure):
                failures.append(outcome)
                continue
            output.record(outcome)
            first, last = plan.bounds(outcome.number)
            bar.advance(last - first, f"shard {outcome.number}")
    if failures:
        first_failure = min(failures, key=lambda failure: failure.number)
        raise ShardsError(
            f"{len(failures):,} of {plan.n_shards:,} shards were not written, the others are. "
            f"The first: {first_failure.error}"
        ) from first_failure.error


def _boxes(plan: Plan, faces: FaceOptions | None) -> dict[str, Any]:
    if faces is None or faces.source is FaceSource.JSON:
        return {}
    return find_faces(plan.pool, plan.index.uids[np.unique(plan.positions)])


def _identity(
    plan: Plan, subset: Subset, faces: FaceOptions | None, sha256: bool
) -> dict[str, Any]:
    """Everything that decides the bytes of shards and manifest, as JSON."""
    manifest = plan.pool.require_manifest()
    identity: dict[str, Any] = {
        "format": FORMAT,
        "pool_id": manifest.pool_id,
        "index_id": manifest.index_id,
        "subset_sha256": subset.sha256,
        "samples_per_shard": plan.layout.samples_per_shard,
        "first_shard": plan.layout.first_shard,
        "num_shards": plan.layout.num_shards,
        "duplicates": str(plan.layout.duplicates),
        "blur_faces": faces is not None and faces.blur,
        "inject_faces": faces is not None and faces.inject,
        "sha256": sha256,
    }
    if faces is not None:
        identity["faces_from"] = str(faces.source)
    if faces is not None and faces.blur:
        identity["webp_quality"] = faces.webp_quality
        identity["opencv"] = _opencv()
    return identity


def _opencv() -> str:
    """Another version may blur and encode to other bytes."""
    return str(require("cv2", "download").__version__)


def _stamp(pool: Pool) -> str:
    """Changes when a shard of the pool does, as far as its store tells."""
    return sha256_json([[shard.name, shard.size, shard.stamp] for shard in pool.shards])


def _manifest(
    plan: Plan, subset: Subset, identity: dict[str, Any], output: Output
) -> dict[str, Any]:
    records = output.finished.values()
    return {
        "identity": identity,
        "pool_rows": plan.pool.require_manifest().n_rows,
        "subset": {"n": subset.n, "n_unique": subset.n_unique},
        "samples": sum(record.samples for record in records),
        "bytes": sum(record.bytes for record in records),
        "blurred": sum(record.n_blurred for record in records),
        "skipped": {
            "unknown_uid": _listed(plan.unknown),
            "no_sample": _listed(plan.dead),
            "other_input_shards": {"entries": plan.outside},
            "broken_faces": {"entries": sum(record.n_broken for record in records)},
        },
        "uids_with_several_samples": plan.repeated,
        "pool_problems": dict(plan.pool.require_manifest().problem_counts),
        "versions": {"datacomp": __version__},
    }


def _listed(absent: Absent) -> dict[str, Any]:
    first = format_uids(absent.uids[:LISTED])
    return {"entries": absent.entries, "uids": len(absent.uids), "first": first}


def _write_skipped(plan: Plan, out: Path) -> None:
    """Keep the entries that the pool has no sample of, as a subset file, if there are any."""
    absent = (plan.unknown, plan.dead)
    uids = np.concatenate([np.repeat(each.uids, each.counts) for each in absent])
    if len(uids):
        lock = {"operation": "reshard", "meaning": "entries that the pool has no sample of"}
        with writing(out):
            write_subset(Subset.from_uids(uids), out / SKIPPED, lock)
