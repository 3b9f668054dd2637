"""The plan: what a filter would read and compute on a pool, and what the store has already."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError
from datacomp.filtering.contract import Filter
from datacomp.filtering.fingerprint import part_fingerprint
from datacomp.filtering.spec import FilterSpec, StepSpec, filter_spec
from datacomp.filtering.store import ScoreStore, Task
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress


@dataclass(frozen=True)
class StepPlan:
    """One step: a task per pool part, those still missing, and a guess at what they cost."""

    spec: StepSpec
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    worker_seconds: float

    @property
    def rows_missing(self) -> int:
        """Rows that must be computed."""
        return sum(task.n_rows for task in self.missing)


@dataclass(frozen=True)
class Plan:
    """A filter on a pool, before anything runs."""

    chosen: Filter
    spec: FilterSpec
    pool: Pool
    store: ScoreStore
    steps: tuple[StepPlan, ...]

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter explain --json` prints."""
        return {
            "filter": self.spec.to_json(),
            "rules": list(self.chosen.rules()),
            "pool": {"url": self.pool.url, "parts": len(self.pool.parts), "rows": self.pool.n_rows},
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
        }


def explain(chosen: Filter, pool: Pool, store_dir: Path, progress: Progress | None = None) -> Plan:
    """Plan a filter on a pool; reads the columns of producers to know whether they changed.

    `FilterError` naming part and column if the pool lacks one that the filter reads.
    """
    progress = progress or NoProgress()
    spec = filter_spec(chosen)
    _demand_columns(spec, pool)
    store = ScoreStore(Path(store_dir))
    steps = []
    for step, step_spec in zip(chosen.steps(), spec.steps, strict=True):
        tasks = []
        for part in pool.parts:
            tasks.append(Task(part.name, part.n_rows, part_fingerprint(pool, part, step_spec)))
            progress.advance(part.n_rows, "look up")
        missing = tuple(task for task in tasks if not store.holds(step_spec, task))
        rate = store.rows_per_second(step_spec) or step.rows_per_second
        seconds = sum(task.n_rows for task in missing) / rate
        steps.append(StepPlan(step_spec, tuple(tasks), missing, seconds))
    return Plan(chosen, spec, pool, store, tuple(steps))


def rows_to_pass(chosen: Filter, pool: Pool) -> int:
    """How far `explain` and `run_filter` together advance a progress: rows times passes."""
    return pool.n_rows * (2 * len(chosen.steps()) + 1)


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
