"""The plan: what a filter would read and compute on a pool, and what the store has already.

What is computed goes in stages. In each, parts are computed one by one, wherever there are workers;
then fits and pool steps, which need all parts of what they read, one after another in this process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError
from datacomp.files import sha256_json
from datacomp.filtering.contract import Filter, Fit, PoolStep, Step
from datacomp.filtering.fingerprint import Fingerprints
from datacomp.filtering.spec import (
    FilterSpec,
    FitSpec,
    StepSpec,
    filter_spec,
    identity,
    producers,
)
from datacomp.filtering.store import ScoreStore, Task, result_key
from datacomp.filtering.work import Job
from datacomp.pool import Pool
from datacomp.progress import NoProgress, Progress


@dataclass(frozen=True)
class StepPlan:
    """One step: a task per pool part, those to compute now, and a guess at what they cost.

    `stage` says when; nothing is computed that is needed only for what is stored.
    """

    step: Step
    spec: StepSpec
    tasks: tuple[Task, ...]
    missing: tuple[Task, ...]
    worker_seconds: float
    stage: int

    @property
    def rows_missing(self) -> int:
        """Rows that must be computed."""
        return sum(task.n_rows for task in self.missing)


@dataclass(frozen=True)
class FitPlan:
    """One fit; `key` is of all that its arrays depend on, and `missing` whether to compute them."""

    fit: Fit
    spec: FitSpec
    key: str
    stored: bool
    missing: bool
    stage: int


@dataclass(frozen=True)
class Stage:
    """Jobs for workers, then what needs all parts."""

    jobs: tuple[Job, ...]
    whole: tuple[StepPlan | FitPlan, ...]


@dataclass(frozen=True)
class Plan:
    """A filter on a pool, before anything runs; steps and fits stand in computable order."""

    chosen: Filter
    spec: FilterSpec
    pool: Pool
    store: ScoreStore
    order: tuple[StepPlan | FitPlan, ...]

    @property
    def steps(self) -> tuple[StepPlan, ...]:
        """The steps, numbered as in jobs and outcomes."""
        return tuple(one for one in self.order if isinstance(one, StepPlan))

    @property
    def fits(self) -> tuple[FitPlan, ...]:
        """The fits."""
        return tuple(one for one in self.order if isinstance(one, FitPlan))

    def stages(self) -> tuple[Stage, ...]:
        """What is to be computed, in order."""
        found = []
        for number in sorted({one.stage for one in self.order if one.missing}):
            now = [one for one in self.order if one.missing and one.stage == number]
            found.append(Stage(self._jobs(number), tuple(one for one in now if _is_whole(one))))
        return tuple(found)

    def jobs(self) -> tuple[Job, ...]:
        """The jobs of all stages: in each, all steps of a part in one reading of it."""
        return tuple(job for stage in self.stages() for job in stage.jobs)

    @property
    def image_rows(self) -> int:
        """Pictures to decode: each once in a stage, however many steps see it."""
        images = {index for index, step in enumerate(self.steps) if step.spec.images}
        return sum(job.n_rows for job in self.jobs() if images & {index for index, _ in job.tasks})

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter explain --json` prints."""
        return {
            "filter": self.spec.to_json(),
            "rules": list(self.chosen.rules()),
            "pool": {"url": self.pool.url, "parts": len(self.pool.parts), "rows": self.pool.n_rows},
            "fits": [
                {
                    "name": fit.spec.name,
                    "key": fit.key,
                    "stored": fit.stored,
                    "missing": fit.missing,
                }
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

    def _jobs(self, stage: int) -> tuple[Job, ...]:
        numbers = {identity(step.step): number for number, step in enumerate(self.steps)}
        fit_keys = {identity(fit.fit): fit.key for fit in self.fits}
        places = {part.name: place for place, part in enumerate(self.pool.parts)}
        todo: dict[str, list[int]] = {}
        for number, step in enumerate(self.steps):
            if step.stage == stage and not isinstance(step.step, PoolStep):
                for task in step.missing:
                    todo.setdefault(task.part, []).append(number)
        jobs = []
        for name in sorted(todo):
            steps = [self.steps[number].step for number in todo[name]]
            read = dict.fromkeys(numbers[identity(i)] for step in steps for i in step.inputs())
            fits = {identity(fit): fit_keys[identity(fit)] for step in steps for fit in step.fits()}
            place = places[name]
            jobs.append(
                Job(
                    part=name,
                    n_rows=self.pool.parts[place].n_rows,
                    tasks=tuple((n, self.steps[n].tasks[place]) for n in todo[name]),
                    stored=tuple(
                        (n, self.steps[n].tasks[place]) for n in read if n not in todo[name]
                    ),
                    fits=tuple(fits.items()),
                )
            )
        return tuple(jobs)


def explain(
    chosen: Filter,
    pool: Pool,
    store_dir: Path,
    progress: Progress | None = None,
    *,
    fits_only: bool = False,
) -> Plan:
    """Plan a filter on a pool; reads the columns of producers to know whether they changed.

    With `fits_only` the plan is for its fits and what they read, and selects nothing. `FilterError`
    naming part and column if the pool lacks one that the filter reads.
    """
    spec = filter_spec(chosen)
    _demand_columns(spec, pool)
    store = ScoreStore(Path(store_dir))
    looked_up = _look_up(chosen, spec, pool, store, progress or NoProgress())
    wanted = {identity(fit) for fit in producers(chosen).fits}
    if not fits_only:
        wanted = {identity(one) for one in (*chosen.steps(), *chosen.fits())}
    return Plan(chosen, spec, pool, store, _to_compute(looked_up, wanted, store))


def rows_to_pass(chosen: Filter, pool: Pool) -> int:
    """How far `explain` and `run_filter` together advance a progress: rows times passes."""
    return pool.n_rows * (2 * len(producers(chosen).steps) + 1)


def _look_up(
    chosen: Filter, spec: FilterSpec, pool: Pool, store: ScoreStore, progress: Progress
) -> dict[str, StepPlan | FitPlan]:
    """Every producer with its keys, and as missing all that the store lacks."""
    fingerprints = Fingerprints(pool, store.root)
    steps, fits = iter(spec.steps), iter(spec.fits)
    found: dict[str, StepPlan | FitPlan] = {}
    for one in producers(chosen).order:
        read = (found[identity(i)] for i in one.inputs())
        inputs = tuple(step for step in read if isinstance(step, StepPlan))
        learnt = (found[identity(fit)] for fit in one.fits())
        fit_keys = [fit.key for fit in learnt if isinstance(fit, FitPlan)]
        stage = _stage(one, found)
        described: StepSpec | FitSpec = next(fits) if isinstance(one, Fit) else next(steps)
        prints = []
        for place, part in enumerate(pool.parts):
            if isinstance(described, FitSpec) and not described.reads_pool:
                break
            upstream = [result_key(step.spec, step.tasks[place]) for step in inputs]
            own = fingerprints.of(part, described)
            prints.append(sha256_json([own, *upstream, *fit_keys]) if upstream + fit_keys else own)
            if isinstance(described, StepSpec):
                progress.advance(part.n_rows, "look up")
        if isinstance(one, Fit):
            assert isinstance(described, FitSpec)
            key = sha256_json([described.key, *fit_keys, *prints])
            stored = store.read_fit(described.name, key) is not None
            found[identity(one)] = FitPlan(one, described, key, stored, not stored, stage)
            continue
        assert isinstance(described, StepSpec)
        if isinstance(one, PoolStep):
            whole = sha256_json(prints)
            prints = [sha256_json([whole, own]) for own in prints]
        tasks = tuple(
            Task(part.name, part.n_rows, own) for part, own in zip(pool.parts, prints, strict=True)
        )
        missing = tuple(task for task in tasks if not store.holds(described, task))
        found[identity(one)] = StepPlan(one, described, tasks, missing, 0.0, stage)
    return found


def _stage(one: Step | Fit, found: Mapping[str, StepPlan | FitPlan]) -> int:
    """When it can be computed: what needs all parts ends a stage, rows go on in the same one."""
    below = [found[identity(other)] for other in (*one.inputs(), *one.fits())]
    if isinstance(one, Fit | PoolStep):
        return max((other.stage for other in below), default=-1)
    return max((other.stage + _is_whole(other) for other in below), default=0)


def _is_whole(one: StepPlan | FitPlan) -> bool:
    return isinstance(one, FitPlan) or isinstance(one.step, PoolStep)


def _to_compute(
    looked_up: Mapping[str, StepPlan | FitPlan], wanted: set[str], store: ScoreStore
) -> tuple[StepPlan | FitPlan, ...]:
    """Leave missing what is wanted, or needed for what is missing; from the last to the first."""
    parts: dict[str, set[str]] = {}
    done: list[StepPlan | FitPlan] = []
    needed = set(wanted)
    for key, one in reversed(list(looked_up.items())):
        if isinstance(one, FitPlan):
            one = replace(one, missing=one.missing and key in needed)
            producer: Step | Fit = one.fit
        else:
            one = _planned(one, None if key in needed else parts.get(key, set()), store)
            producer = one.step
        done.append(one)
        if one.missing:
            needed |= {identity(fit) for fit in producer.fits()}
            for step in producer.inputs():
                if isinstance(one, StepPlan) and not _is_whole(one):
                    read = {task.part for task in one.missing}
                    parts.setdefault(identity(step), set()).update(read)
                else:
                    needed.add(identity(step))
    return tuple(reversed(done))


def _planned(plan: StepPlan, parts: set[str] | None, store: ScoreStore) -> StepPlan:
    """The step with those of its missing tasks that `parts` asks for (None: all), and the cost."""
    missing: Sequence[Task] = plan.missing
    if parts is not None:
        missing = [task for task in missing if task.part in parts]
    if missing and isinstance(plan.step, PoolStep):
        missing = plan.tasks
    rate = store.rows_per_second(plan.spec) or plan.step.rows_per_second
    seconds = sum(task.n_rows for task in missing) / rate
    return replace(plan, missing=tuple(missing), worker_seconds=seconds)


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
