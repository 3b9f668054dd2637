"""The filter on trial, with what the checks share: toy pools, opened steps, runs of the engine."""

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pyarrow as pa

from datacomp.filtering.conformance.elsewhere import Seen, run_elsewhere
from datacomp.filtering.conformance.toy_pool import write_pool
from datacomp.filtering.conformance.toy_rows import ToyRows, ordinary_rows
from datacomp.filtering.contract import (
    Arrays,
    Filter,
    Fit,
    Host,
    ImageStep,
    PoolStep,
    RowStep,
    Step,
    parameters,
)
from datacomp.filtering.executor import LocalExecutor, visible_gpus
from datacomp.filtering.params import filter_from_params
from datacomp.filtering.plan import Plan, explain
from datacomp.filtering.run import FilterResult, run_filter
from datacomp.filtering.spec import identity, producers
from datacomp.pool import Pool
from datacomp.pool.schema import UID
from datacomp.subset import format_uids

PARTS = (13, 10, 7)


@dataclass(frozen=True)
class Ran:
    """A run of the engine: `values` goes from (step, column) to uid to value, `kept` by uid."""

    pool: Pool
    plan: Plan
    result: FilterResult
    values: Mapping[tuple[str, str], Mapping[str, Any]]
    kept: Counter[str]


class Subject:
    """A registered filter with its parameters; what is made for it goes when it does.

    `source` is a pool whose columns stand in where the filter reads others than DataComp's;
    `UsageError` for a column that nobody has.
    """

    def __init__(self, chosen: Filter, source: str | None = None) -> None:
        self.chosen = chosen
        made = producers(chosen)
        self.steps: tuple[Step, ...] = made.steps
        self.fits: tuple[Fit, ...] = made.fits
        columns = [*chosen.columns(), *(name for one in made.order for name in one.columns())]
        self.columns = tuple(dict.fromkeys(columns))
        self.features = tuple(dict.fromkeys(key for one in made.order for key in one.features))
        self.sees_images = any(isinstance(step, ImageStep) for step in self.steps)
        self.waived: Mapping[str, str] = chosen.waives
        self.rows: ToyRows = ordinary_rows(self.columns, self.features, source)
        """Ordinary rows, with every column and feature of DataComp's pools."""
        self._opened: dict[str, Any] = {}

    @cached_property
    def folder(self) -> Path:
        """A temporary folder, removed with the subject."""
        folder = Path(tempfile.mkdtemp(prefix="datacomp-check-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def fresh(self, name: str) -> Path:
        """A new path in the folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder)) / name

    @cached_property
    def pool(self) -> Pool:
        """The ordinary rows in three parts."""
        return self.write(self.rows, PARTS)

    def write(self, rows: ToyRows, parts: Sequence[int]) -> Pool:
        """A pool of these rows, with pictures if the filter sees any."""
        return write_pool(self.fresh("pool"), rows, parts, images=self.sees_images)

    def run(self, pool: Pool, chosen: Filter | None = None, store: Path | None = None) -> Ran:
        """Run the filter, or another with the same steps' names, as the engine does it.

        With an empty store unless one is given.
        """
        chosen, store = chosen or self.chosen, store or self.fresh("scores")
        result = run_filter(chosen, pool, store, LocalExecutor(1, self.gpus))
        return read_run(explain(chosen, pool, store), result)

    @cached_property
    def gpus(self) -> int:
        """1 for a filter that computes on a GPU only; `SkipTest` where there is none."""
        if not any(step.device == "gpu" for step in self.steps):
            return 0
        if not visible_gpus():
            raise SkipTest("it computes on a GPU only, and this machine shows none")
        return 1

    def changed(self, **params: Any) -> Filter:
        """The same filter with other parameters."""
        return filter_from_params(type(self.chosen), parameters(self.chosen) | params)

    def demand_run(self) -> None:
        """`SkipTest` unless it runs on the ordinary pool."""
        if isinstance(self.first_run, Exception):
            raise SkipTest("it does not run on ordinary rows: see runs") from self.first_run

    @property
    def ordinary(self) -> Ran:
        """The run on the ordinary pool; `SkipTest` if it fails, which is for `runs` to tell."""
        if isinstance(self.first_run, Exception):
            raise SkipTest("it does not run on ordinary rows: see runs") from self.first_run
        return self.first_run

    @cached_property
    def store(self) -> Path:
        """Where the run on the ordinary pool keeps what the steps produce."""
        return self.fresh("scores")

    @cached_property
    def first_run(self) -> Ran | Exception:
        """The run on the ordinary pool, or what it raised."""
        try:
            return self.run(self.pool, store=self.store)
        except SkipTest:
            raise
        except Exception as error:
            return error

    @cached_property
    def elsewhere(self) -> Seen:
        """The run on the ordinary pool in another process."""
        return run_elsewhere(self.chosen, self.pool, self.fresh("elsewhere"), self.gpus)

    @cached_property
    def second_run(self) -> Ran:
        """The same again, with nothing stored before."""
        return self.run(self.pool)

    @property
    def row_steps(self) -> tuple[RowStep | ImageStep, ...]:
        """The steps that compute a row from that row alone, and from nothing that does not."""
        found: dict[str, RowStep | ImageStep] = {}
        for step in self.steps:
            alone = all(identity(other) in found for other in step.inputs())
            if alone and not isinstance(step, PoolStep):
                found[identity(step)] = step
        return tuple(found.values())

    def opened(self, step: RowStep | ImageStep) -> Any:
        """The function of a step, opened once."""
        if identity(step) not in self._opened:
            host = Host(device="cuda" if self.gpus else "cpu", arrays=self._arrays)
            self._opened[identity(step)] = step.open(host)
        return self._opened[identity(step)]

    def given(self, step: RowStep | ImageStep, rows: ToyRows) -> tuple[Any, ...]:
        """What the function of a step is called with."""
        batch = rows.batch(step.columns(), step.features)
        for other in step.inputs():
            assert not isinstance(other, PoolStep)
            made = self.computed(other, rows)
            for name in made.schema.names:
                batch = batch.append_column(name, made.column(name))
        if step.inputs() and not (step.columns() or step.features):
            batch = batch.drop_columns([UID])
        return (batch, rows.pictures()) if isinstance(step, ImageStep) else (batch,)

    def computed(self, step: RowStep | ImageStep, rows: ToyRows) -> pa.RecordBatch:
        """What a step answers for a batch; not looked at yet."""
        return self.opened(step)(*self.given(step, rows))

    def _arrays(self, fit: Fit) -> Arrays:
        """What a fit computed on the ordinary pool."""
        plan = self.ordinary.plan
        key = next(one.key for one in plan.fits if identity(one.fit) == identity(fit))
        arrays = plan.store.read_fit(fit.name, key)
        assert arrays is not None, "the run on the ordinary pool computed it"
        return arrays


def read_run(plan: Plan, result: FilterResult) -> Ran:
    """What a run stored and kept, by uid."""
    values: dict[tuple[str, str], dict[str, Any]] = {}
    uids = {part.name: format_uids(plan.pool.uids(part)) for part in plan.pool.parts}
    for step in plan.steps:
        for name in step.spec.outputs:
            found = values.setdefault((step.spec.name, name), {})
            for task in step.tasks:
                column = plan.store.read(step.spec, task, name).to_pylist()
                found.update(zip(uids[task.part], column, strict=True))
    return Ran(plan.pool, plan, result, values, Counter(format_uids(result.subset.uids)))
