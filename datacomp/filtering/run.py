"""Run a filter on a pool: compute what the store lacks, select, and say how it came about."""

import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datacomp import __version__
from datacomp.errors import FilterError
from datacomp.files import sha256_file, sha256_json
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import Executor, LocalExecutor
from datacomp.filtering.plan import Plan, explain
from datacomp.filtering.registry import FILTERS
from datacomp.filtering.selection import Selection
from datacomp.filtering.spec import identity, implementation, leaves
from datacomp.filtering.tree import describe, plugin_files
from datacomp.filtering.view import PARTS_AHEAD, Source, Stored, View
from datacomp.filtering.work import told
from datacomp.pool import Part, Pool
from datacomp.progress import NoProgress, Progress
from datacomp.subset import Subset
from datacomp.subset.blocks import SubsetFacts
from datacomp.subset.external import SubsetSpool

MAX_MEMORY = 64 * 2**20
"""Bytes of kept uids, and of the room to sort them, before they go to temporary files."""


@dataclass(frozen=True)
class StepReport:
    """What became of a step's parts: computed now, stored before, or failed with which error.

    `no_image` and `broken_image` count rows computed now that an image step could not see.
    """

    name: str
    done: int
    reused: int
    failed: Mapping[str, str]
    no_image: int = 0
    broken_image: int = 0


@dataclass(frozen=True)
class Counts:
    """Rows of the pool, rows kept, entries of the subset, rows dropped by reason in rule order."""

    rows: int
    kept: int
    entries: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class FilterResult:
    """What was kept, its provenance, the counts, and what was computed for it.

    The kept uids are in memory or in temporary files; `write` is for subsets of any size.
    """

    spool: SubsetSpool
    lock: dict[str, Any]
    counts: Counts
    steps: tuple[StepReport, ...]

    @cached_property
    def subset(self) -> Subset:
        """The subset, in memory."""
        return self.spool.subset()

    def write(self, path: Path) -> SubsetFacts:
        """Write the subset and its lock, in bounded memory."""
        return self.spool.write(path, self.lock)


class PartsFailed(FilterError):
    """Some parts could not be computed, so that there is no subset; the others are stored."""

    def __init__(self, steps: tuple[StepReport, ...]) -> None:
        self.steps = steps
        failed = {part: error for step in steps for part, error in step.failed.items()}
        first = next(iter(failed))
        super().__init__(
            f"{sum(len(s.failed) for s in steps)} of "
            f"{sum(s.done + s.reused + len(s.failed) for s in steps)} parts "
            f"failed, no subset was written. First: part {first}: {failed[first]}. The parts that "
            "succeeded are stored: mend it and run again."
        )


def run_filter(
    chosen: Filter,
    pool: Pool,
    store_dir: Path,
    executor: Executor | None = None,
    progress: Progress | None = None,
    max_memory: int = MAX_MEMORY,
) -> FilterResult:
    """Compute what is missing, in this process unless an executor is given, and select.

    Raises `PartsFailed` if any part of any step failed; a subset of fewer rows is never made.
    `progress` advances by `rows_to_pass(chosen, pool)` in all. More than `max_memory` bytes of
    kept uids go to temporary files.
    """
    start = time.perf_counter()
    progress = progress or NoProgress()
    place: Executor = executor or LocalExecutor()
    plan = explain(chosen, pool, store_dir, progress)
    _demand_device(plan, place)
    if plan.jobs() or not all(fit.stored for fit in plan.fits):
        plan.store.demand_writable()
    spool = SubsetSpool(max_memory)
    try:
        _fit(plan, place, progress)
        reports = _compute(plan, place, progress)
        if any(report.failed for report in reports):
            raise PartsFailed(reports)
        with ThreadPoolExecutor(PARTS_AHEAD) as threads:
            counts = _select(plan, _source(plan, threads), spool, progress)
    except SystemExit as error:
        raise FilterError(f"filter {plan.spec.name!r} ended itself: {told(error)}") from error
    return FilterResult(spool, _lock(plan, counts, time.perf_counter() - start), counts, reports)


def _demand_device(plan: Plan, executor: Executor) -> None:
    for step in plan.steps:
        if step.spec.device == "gpu" and step.missing and not executor.gpus_per_worker:
            raise FilterError(
                f"step {step.spec.name!r} computes on a GPU only, and none was asked for. "
                "Add --gpus-per-worker 1."
            )


def _fit(plan: Plan, executor: Executor, progress: Progress) -> None:
    for fit in plan.fits:
        if not fit.stored:
            progress.advance(0, f"fit {fit.spec.name}")
            device = "cuda" if executor.gpus_per_worker else "cpu"
            plan.store.write_fit(fit.spec, fit.fit.fit(device))


def _compute(plan: Plan, executor: Executor, progress: Progress) -> tuple[StepReport, ...]:
    n = len(plan.steps)
    done, unseen = [0] * n, [[0, 0] for _ in range(n)]
    failed: list[dict[str, str]] = [{} for _ in range(n)]
    for step in plan.steps:
        progress.advance(sum(t.n_rows for t in step.tasks) - step.rows_missing, step.spec.name)
    for outcome in executor.run(plan.chosen, plan.pool, plan.store, plan.jobs()):
        progress.advance(outcome.n_rows, plan.steps[outcome.step].spec.name)
        if outcome.error is not None:
            failed[outcome.step][outcome.part] = outcome.error
            continue
        done[outcome.step] += 1
        unseen[outcome.step][0] += outcome.no_image
        unseen[outcome.step][1] += outcome.broken_image
    return tuple(
        StepReport(
            name=step.spec.name,
            done=done[index],
            reused=len(step.tasks) - len(step.missing),
            failed=dict(sorted(failed[index].items())),
            no_image=unseen[index][0],
            broken_image=unseen[index][1],
        )
        for index, step in enumerate(plan.steps)
    )


def _source(plan: Plan, threads: ThreadPoolExecutor) -> Source:
    return Source(
        pool=plan.pool,
        store=plan.store,
        steps={
            identity(step.step): Stored(step.spec, {task.part: task for task in step.tasks})
            for step in plan.steps
        },
        fits={identity(fit.fit): fit.spec for fit in plan.fits},
        threads=threads,
    )


def _select(plan: Plan, source: Source, spool: SubsetSpool, progress: Progress) -> Counts:
    """Walk the parts with what the filter says of each; every row is kept or counted."""
    kept, entries, dropped = 0, 0, Counter[str]()
    for part, selection in _paired(plan, View(source, plan.chosen)):
        uids = selection.of(source.uids(part))
        spool.add(uids)
        kept += int(np.count_nonzero(selection.kept))
        entries += len(uids)
        dropped.update(selection.dropped())
        progress.advance(part.n_rows, "select")
    return Counts(plan.pool.n_rows, kept, entries, dict(dropped))


def _paired(plan: Plan, view: View) -> Iterator[tuple[Part, Selection]]:
    name = plan.spec.name
    for part, selection in zip_longest(plan.pool.parts, plan.chosen.select(view)):
        if part is None or selection is None:
            raise FilterError(
                f"filter {name!r} selects from {'more' if part is None else 'fewer'} parts than "
                f"the pool's {len(plan.pool.parts):,}; it answers with one Selection a part"
            )
        if not isinstance(selection, Selection) or selection.n_rows != part.n_rows:
            rows = getattr(selection, "n_rows", type(selection).__name__)
            raise FilterError(
                f"filter {name!r} accounts for {rows} rows of part {part.name}, "
                f"which has {part.n_rows:,}"
            )
        yield part, selection


def _lock(plan: Plan, counts: Counts, elapsed_seconds: float) -> dict[str, Any]:
    spec, manifest = plan.spec, plan.pool.manifest
    keys = [
        {
            "step": step.spec.name,
            "key": step.spec.key,
            "inputs": sha256_json([[task.part, task.fingerprint] for task in step.tasks]),
        }
        for step in plan.steps
    ]
    return {
        "operation": "filter",
        "selection": describe(plan.chosen),
        "filter": spec.to_json(),
        "rules": list(plan.chosen.rules()),
        "origin": {leaf.name: _origin(leaf) for leaf in leaves(plan.chosen)},
        "plugins": {path.name: sha256_file(path) for path in plugin_files(plan.chosen)},
        "keys": keys + [{"fit": fit.spec.name, "key": fit.spec.key} for fit in plan.fits],
        "seed": spec.seed,
        "pool_id": manifest.pool_id if manifest else None,
        "pool_problems": dict(manifest.problem_counts) if manifest else None,
        "counts": {
            "rows": counts.rows,
            "kept": counts.kept,
            "entries": counts.entries,
            "dropped": dict(counts.dropped),
        },
        "uses_truth": False,
        "versions": {
            "datacomp": __version__,
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
            "python": platform.python_version(),
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed_seconds": round(elapsed_seconds, 3),
    }


def _origin(chosen: Filter) -> str:
    registered = chosen.name in FILTERS and FILTERS.get(chosen.name) is type(chosen)
    return FILTERS.origin(chosen.name) if registered else implementation(chosen)
