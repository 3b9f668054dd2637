"""Compute what a plan lacks, stage by stage: parts by the executor, what needs all parts here."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from datacomp.errors import DatacompError, FilterError
from datacomp.files import sha256_json
from datacomp.filtering.contract import Arrays, Bench, Fit, PoolStep
from datacomp.filtering.executor import Executor
from datacomp.filtering.plan import FitPlan, Plan, StepPlan
from datacomp.filtering.spec import identity
from datacomp.filtering.view import PARTS_AHEAD, Reads, Source, Stored, View
from datacomp.filtering.work import Job, Outcome, checked, told
from datacomp.progress import Progress

_TAKEN = ("file", "allow_pickle")
"""Names that numpy.savez has for itself."""


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


class PartsFailed(FilterError):
    """Some parts could not be computed, so that there is no subset; the others are stored."""

    def __init__(self, steps: tuple[StepReport, ...]) -> None:
        self.steps = steps
        # Of a part's errors the first step's: later ones only say what they build on.
        failed = {part: error for step in reversed(steps) for part, error in step.failed.items()}
        first = next(iter(failed))
        super().__init__(
            f"{sum(len(s.failed) for s in steps)} of "
            f"{sum(s.done + s.reused + len(s.failed) for s in steps)} parts "
            f"failed, no subset was written. First: part {first}: {failed[first]}. The parts that "
            "succeeded are stored: mend it and run again."
        )


@contextmanager
def computed(
    plan: Plan, executor: Executor, progress: Progress
) -> Iterator[tuple[tuple[StepReport, ...], Source]]:
    """Compute what is missing; then what became of each step, and the source to select from.

    Raises `PartsFailed` if any part of any step failed. Code of others that ends the process is a
    `FilterError`, also while the source is in use.
    """
    _demand_device(plan, executor)
    if any(one.missing for one in plan.order):
        plan.store.demand_writable()
    try:
        with ThreadPoolExecutor(PARTS_AHEAD) as threads:
            source = _source(plan, threads)
            yield _Run(plan, executor, source, progress).reports(), source
    except SystemExit as error:
        raise FilterError(f"filter {plan.spec.name!r} ended itself: {told(error)}") from error


class _Run:
    """A plan at work; counts what becomes of the steps' parts."""

    def __init__(self, plan: Plan, executor: Executor, source: Source, progress: Progress) -> None:
        self.plan, self.executor, self.source, self.progress = plan, executor, source, progress
        self.numbers = {identity(step.step): number for number, step in enumerate(plan.steps)}
        self.done = [0] * len(plan.steps)
        self.unseen = [[0, 0] for _ in plan.steps]
        self.failed: list[dict[str, str]] = [{} for _ in plan.steps]

    def reports(self) -> tuple[StepReport, ...]:
        """Run all stages; what became of each step."""
        for step in self.plan.steps:
            stored = sum(task.n_rows for task in step.tasks) - step.rows_missing
            self.progress.advance(stored, step.spec.name)
        for stage in self.plan.stages():
            self._run_jobs(stage.jobs)
            for one in stage.whole:
                if isinstance(one, FitPlan):
                    self._fit(one)
                else:
                    self._pool_step(one)
        return self._told()

    def _run_jobs(self, jobs: tuple[Job, ...]) -> None:
        if not jobs:
            return
        plan = self.plan
        for outcome in self.executor.run(plan.chosen, plan.pool, plan.store, jobs):
            self._count(outcome)
        if any(self.failed):
            raise PartsFailed(self._told())

    def _count(self, outcome: Outcome) -> None:
        self.progress.advance(outcome.n_rows, self.plan.steps[outcome.step].spec.name)
        if outcome.error is not None:
            self.failed[outcome.step][outcome.part] = outcome.error
            return
        self.done[outcome.step] += 1
        self.unseen[outcome.step][0] += outcome.no_image
        self.unseen[outcome.step][1] += outcome.broken_image

    def _fit(self, one: FitPlan) -> None:
        self.progress.advance(0, f"fit {one.spec.name}")
        view = View(self.source, Reads.by_producer(one.fit))
        with self.plan.store.fitting(one.fit.name, one.key) as folder:
            with _told_apart(f"fit {one.fit.name!r}"):
                made = one.fit.fit(view, self._bench(one.fit, folder))
                arrays = checked_arrays(one.fit, made)
            self.plan.store.write_fit(one.spec, one.key, arrays)

    def _pool_step(self, one: StepPlan) -> None:
        """Compute all parts; those before one that fails are kept, but computed again."""
        step, store, pool = one.step, self.plan.store, self.plan.pool
        assert isinstance(step, PoolStep)
        number, start = self.numbers[identity(step)], perf_counter()
        read = sha256_json([task.fingerprint for task in one.tasks])
        bench = self._bench(step, store.folder(one.spec) / f"work.{read[:12]}")
        with _told_apart(f"step {step.name!r}"):
            batches = iter(step.compute(View(self.source, Reads.by_producer(step)), bench))
        for part, task in zip(pool.parts, one.tasks, strict=True):
            try:
                with _told_apart(f"step {step.name!r}"):
                    found = next(batches, None)
                made = checked(step, found, task.n_rows, task.part)
            except FilterError as error:
                raise FilterError(f"part {task.part}: {error}") from error
            facts = {"seconds": round(perf_counter() - start, 3)}
            store.write(one.spec, task, pool.uids(part), pa.Table.from_batches([made]), facts)
            start = perf_counter()
            self._count(Outcome(task.part, number, task.n_rows))
        with _told_apart(f"step {step.name!r}"):
            more = next(batches, None)
        if more is not None:
            raise FilterError(f"step {step.name!r} answers for more parts than the pool has")

    def _bench(self, producer: PoolStep | Fit, folder: Path) -> Bench:
        reads = producer.fits()
        folder.mkdir(parents=True, exist_ok=True)

        def arrays(fit: Fit) -> Arrays:
            if fit not in reads:
                raise FilterError(
                    f"{producer.name!r} reads fit {fit.name!r}, which it does not declare"
                )
            return self.source.arrays(fit)

        return Bench(
            device="cuda" if self.executor.gpus_per_worker else "cpu",
            arrays=arrays,
            folder=folder,
            tell=lambda line: self.progress.advance(0, f"{producer.name}: {line}"),
        )

    def _told(self) -> tuple[StepReport, ...]:
        return tuple(
            StepReport(
                name=step.spec.name,
                done=self.done[index],
                reused=len(step.tasks) - len(step.missing),
                failed=dict(sorted(self.failed[index].items())),
                no_image=self.unseen[index][0],
                broken_image=self.unseen[index][1],
            )
            for index, step in enumerate(self.plan.steps)
        )


def checked_arrays(fit: Fit, made: Any) -> Arrays:
    """What a fit answered; `FilterError` unless it is arrays by name that can be stored."""
    if not isinstance(made, Mapping):
        raise FilterError(f"fit {fit.name!r} returned {type(made).__name__}, expected arrays")
    for name, array in made.items():
        if not isinstance(name, str) or name in _TAKEN:
            raise FilterError(f"fit {fit.name!r} cannot name an array {name!r}")
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            kind = getattr(array, "dtype", type(array).__name__)
            raise FilterError(
                f"fit {fit.name!r} returned {kind} as {name!r}, expected a numpy array of numbers "
                "or text"
            )
    return made


@contextmanager
def _told_apart(whose: str) -> Iterator[None]:
    """Errors in code of others become a `FilterError` that tells the line; ours stay."""
    try:
        yield
    except DatacompError:
        raise
    except Exception as error:
        raise FilterError(f"{whose} failed: {told(error)}") from error


def _demand_device(plan: Plan, executor: Executor) -> None:
    for step in plan.steps:
        if step.spec.device == "gpu" and step.missing and not executor.gpus_per_worker:
            raise FilterError(
                f"step {step.spec.name!r} computes on a GPU only, and none was asked for. "
                "Add --gpus-per-worker 1."
            )


def _source(plan: Plan, threads: ThreadPoolExecutor) -> Source:
    return Source(
        pool=plan.pool,
        store=plan.store,
        steps={
            identity(step.step): Stored(step.spec, {task.part: task for task in step.tasks})
            for step in plan.steps
        },
        fits={identity(fit.fit): fit.key for fit in plan.fits},
        threads=threads,
    )
