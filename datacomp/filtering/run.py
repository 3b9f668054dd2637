"""Run a filter on a pool: compute what the store lacks, select, and say how it came about."""

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datacomp import __version__
from datacomp.errors import FilterError
from datacomp.files import sha256_json
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import run_tasks
from datacomp.filtering.plan import Plan, StepPlan, explain
from datacomp.filtering.registry import FILTERS
from datacomp.filtering.selection import Selection
from datacomp.filtering.view import Stored, View
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress
from datacomp.subset import Subset


@dataclass(frozen=True)
class StepReport:
    """What became of a step's parts: computed now, stored before, or failed with which error."""

    name: str
    done: int
    reused: int
    failed: Mapping[str, str]


@dataclass(frozen=True)
class Counts:
    """Rows of the pool, rows kept, and rows dropped by reason in the order of the rules."""

    rows: int
    kept: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class FilterResult:
    """A subset, its provenance for `write_subset`, the counts, and what was computed for it."""

    subset: Subset
    lock: dict[str, Any]
    counts: Counts
    steps: tuple[StepReport, ...]


class PartsFailed(FilterError):
    """Some parts could not be computed, so that there is no subset; the others are stored."""

    def __init__(self, steps: tuple[StepReport, ...]) -> None:
        self.steps = steps
        failed = {part: error for step in steps for part, error in step.failed.items()}
        first = next(iter(failed))
        super().__init__(
            f"{len(failed)} of {sum(s.done + s.reused + len(s.failed) for s in steps)} parts "
            f"failed, no subset was written. First: part {first}: {failed[first]}. The parts that "
            "succeeded are stored: mend it and run again."
        )


def run_filter(
    chosen: Filter,
    pool: Pool,
    store_dir: Path,
    workers: int = 1,
    progress: Progress | None = None,
) -> FilterResult:
    """Compute what is missing, with `workers` processes, and select.

    Raises `PartsFailed` if any part of any step failed; a subset of fewer rows is never made.
    `progress` advances by `rows_to_pass(chosen, pool)` in all.
    """
    start = time.perf_counter()
    progress = progress or NoProgress()
    plan = explain(chosen, pool, store_dir, progress)
    reports = tuple(_compute(plan, index, workers, progress) for index in range(len(plan.steps)))
    if any(report.failed for report in reports):
        raise PartsFailed(reports)
    stored = tuple(
        Stored(plan.store, step.spec, {task.part: task for task in step.tasks})
        for step in plan.steps
    )
    selection = chosen.select(View(pool, chosen, stored, progress))
    counts = _counted(selection, plan)
    subset = Subset.from_uids(selection.uids)
    return FilterResult(subset, _lock(plan, counts, time.perf_counter() - start), counts, reports)


def _compute(plan: Plan, index: int, workers: int, progress: Progress) -> StepReport:
    step: StepPlan = plan.steps[index]
    progress.advance(sum(task.n_rows for task in step.tasks) - step.rows_missing, step.spec.name)
    done, failed = 0, {}
    outcomes = run_tasks(plan.chosen, index, plan.pool, plan.store, step.missing, workers)
    for outcome in outcomes:
        progress.advance(outcome.n_rows, step.spec.name)
        if outcome.error is None:
            done += 1
        else:
            failed[outcome.part] = outcome.error
    reused = len(step.tasks) - len(step.missing)
    return StepReport(step.spec.name, done, reused, dict(sorted(failed.items())))


def _counted(selection: Selection, plan: Plan) -> Counts:
    if selection.n_rows != plan.pool.n_rows:
        raise FilterError(
            f"filter {plan.spec.name!r} accounts for {selection.n_rows:,} rows "
            f"({len(selection.uids):,} kept, {sum(selection.dropped.values()):,} dropped), "
            f"but the pool has {plan.pool.n_rows:,}"
        )
    return Counts(plan.pool.n_rows, len(selection.uids), dict(selection.dropped))


def _lock(plan: Plan, counts: Counts, elapsed_seconds: float) -> dict[str, Any]:
    spec, manifest = plan.spec, plan.pool.manifest
    registered = spec.name in FILTERS and FILTERS.get(spec.name) is type(plan.chosen)
    return {
        "operation": "filter",
        "filter": spec.to_json(),
        "rules": list(plan.chosen.rules()),
        "origin": FILTERS.origin(spec.name) if registered else type(plan.chosen).__module__,
        "keys": [
            {
                "step": step.spec.name,
                "key": step.spec.key,
                "inputs": sha256_json([[task.part, task.fingerprint] for task in step.tasks]),
            }
            for step in plan.steps
        ],
        "seed": spec.seed,
        "pool_id": manifest.pool_id if manifest else None,
        "pool_problems": dict(manifest.problem_counts) if manifest else None,
        "counts": {"rows": counts.rows, "kept": counts.kept, "dropped": dict(counts.dropped)},
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
