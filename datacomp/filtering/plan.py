"""The plan: what a filter would read and compute on a pool, and what the store has already."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError
from datacomp.filtering.contract import Filter, Fit, Step
from datacomp.filtering.fingerprint import Fingerprints
from datacomp.filtering.spec import FilterSpec, FitSpec, StepSpec, distinct, filter_spec
from datacomp.filtering.store import ScoreStore, Task
from datacomp.filtering.work import Job
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress


@dataclass(frozen=True)
class StepPlan:
    """One step: a task per pool part, those still missing, and a guess at what they cost."""

    step: Step
    spec: StepSpec
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    worker_seconds: float

    @property
    def rows_missing(self) -> int:
        """Rows that must be computed."""
        return sum(task.n_rows for task in self.missing)


@dataclass(frozen=True)
class FitPlan:
    """One fit, and whether its arrays are stored."""

    fit: Fit
    spec: FitSpec
    stored: bool


@dataclass(frozen=True)
class Plan:
    """A filter on a pool, before anything runs."""

    chosen: Filter
    spec: FilterSpec
    pool: Pool
    store: ScoreStore
    steps: tuple[StepPlan, ...]
    fits: tuple[FitPlan, ...]

    def jobs(self) -> tuple[Job, ...]:
        """A job for every part that a step lacks: all of its steps in one reading of the part."""
        tasks: dict[str, list[tuple[int, Task]]] = {}
        for index, step in enumerate(self.steps):
            for task in step.missing:
                tasks.setdefault(task.part, []).append((index, task))
        rows = {part.name: part.n_rows for part in self.pool.parts}
        return tuple(Job(part, rows[part], tuple(todo)) for part, todo in sorted(tasks.items()))

    @property
    def image_rows(self) -> int:
        """Pictures to decode: each once, however many steps see it."""
        images = {index for index, step in enumerate(self.steps) if step.spec.images}
        return sum(job.n_rows for job in self.jobs() if images & {index for index, _ in job.tasks})

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter explain --json` prints."""
        return {
            "filter": self.spec.to_json(),
            "rules": list(self.chosen.rules()),
            "pool": {"url": self.pool.url, "parts": len(self.pool.parts), "rows": self.pool.n_rows},
            "fits": [
                {"name": fit.spec.name, "key": fit.spec.key, "stored": fit.stored}
                for fit in self.fits
            ],
            "steps": [
                {
                    "name": step.spec.name,
                    "key": step.spec.key,
                    "parts_stored": len(step.tasks) - len(step.missing),
                    "parts_missing": len(step.missing),
                    "rows_missing": step.rows_missing,
                    "worker_seconds": round(step.worker_seconds, 1),
                }
                for step in self.steps
            ],
            "images_to_decode": self.image_rows,
        }


def explain(chosen: Filter, pool: Pool, store_dir: Path, progress: Progress | None = None) -> Plan:
    """Plan a filter on a pool; reads the columns of producers to know whether they changed.

    `FilterError` naming part and column if the pool lacks one that the filter reads.
    """
    progress = progress or NoProgress()
    spec = filter_spec(chosen)
    _demand_columns(spec, pool)
    store = ScoreStore(Path(store_dir))
    fingerprints, steps = Fingerprints(pool, store.root), []
    for step, step_spec in zip(distinct(chosen.steps()), spec.steps, strict=True):
        tasks = []
        for part in pool.parts:
            tasks.append(Task(part.name, part.n_rows, fingerprints.of(part, step_spec)))
            progress.advance(part.n_rows, "look up")
        steps.append(_planned(step, step_spec, tasks, store))
    fits = tuple(
        FitPlan(fit, fit_spec, store.read_fit(fit_spec) is not None)
        for fit, fit_spec in zip(distinct(chosen.fits()), spec.fits, strict=True)
    )
    return Plan(chosen, spec, pool, store, tuple(steps), fits)


def rows_to_pass(chosen: Filter, pool: Pool) -> int:
    """How far `explain` and `run_filter` together advance a progress: rows times passes."""
    return pool.n_rows * (2 * len(distinct(chosen.steps())) + 1)


def _planned(step: Step, spec: StepSpec, tasks: Sequence[Task], store: ScoreStore) -> StepPlan:
    missing = tuple(task for task in tasks if not store.holds(spec, task))
    rate = store.rows_per_second(spec) or step.rows_per_second
    return StepPlan(step, spec, tuple(tasks), missing, sum(t.n_rows for t in missing) / rate)


def _demand_columns(spec: FilterSpec, pool: Pool) -> None:
    for column in spec.columns:
        lacking = [part for part in pool.parts if column not in part.columns]
        if lacking:
            others = len(lacking) - 1
            have = f"and {others} other parts have" if others else "has"
            raise FilterError(
                f"{lacking[0].name}.parquet {have} no column {column!r}, which filter "
                f"{spec.name!r} reads. It has: {', '.join(lacking[0].columns)}"
            )
    if spec.images and not pool.shards:
        raise FilterError(
            f"filter {spec.name!r} looks at pictures, and pool {pool.url} has no shards"
        )
