"""Compute the fits of a filter, and say where they are and what they tell; also under torchrun."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from datacomp.errors import FilterError, UsageError
from datacomp.filtering.compute import computed
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import Executor
from datacomp.filtering.plan import FitPlan, Plan, explain
from datacomp.filtering.spec import FitSpec
from datacomp.filtering.store import ScoreStore
from datacomp.pool import Pool
from datacomp.progress import Progress

LOG = "log.jsonl"
"""Where a fit that trains keeps its diagnostics, in its folder: an object a line."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Fitted:
    """A fit that is computed; `stored` says whether it was before. `last` is its log's last line.

    `table` are the rows of its arrays that belong to names: of every array as long as the one of
    text, if there is just one such; else there are none.
    """

    name: str
    folder: Path
    stored: bool
    arrays: Arrays

    @property
    def log(self) -> Path | None:
        """Its log, if it keeps one."""
        path = self.folder / LOG
        return path if path.is_file() else None

    @property
    def last(self) -> dict[str, Any]:
        """The log's last line."""
        lines = self.log.read_bytes().splitlines() if self.log else []
        return dict(json.loads(lines[-1])) if lines else {}

    @property
    def table(self) -> list[dict[str, Any]]:
        """Named rows."""
        texts = [array for array in self.arrays.values() if array.dtype.kind == "U"]
        if len(texts) != 1:
            return []
        columns = {k: a.tolist() for k, a in self.arrays.items() if a.shape == texts[0].shape}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def to_json(self) -> dict[str, Any]:
        """As `datacomp filter fit --json` prints it."""
        return {
            "fit": self.name,
            "folder": str(self.folder),
            "stored_before": self.stored,
            "arrays": {name: list(array.shape) for name, array in self.arrays.items()},
            "last": self.last,
            "table": self.table,
        }


def compute_fits(
    chosen: Filter, pool: Pool, store_dir: Path, executor: Executor, progress: Progress
) -> tuple[Fitted, ...]:
    """Compute a filter's fits, and the columns that they read, unless stored; what was computed.

    Under torchrun every process works, and the first one alone writes and answers; columns that
    are not stored are refused then. `UsageError` for a filter without fits.
    """
    plan = explain(chosen, pool, store_dir, progress, fits_only=True)
    if not plan.fits:
        raise UsageError(f"filter {plan.spec.name!r} has nothing to fit. Run it as it is")
    first = int(os.environ.get("RANK", "0")) == 0
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        _demand_columns(plan)
        if not first:
            plan = replace(plan, store=_InMemory(plan.store.root))
    with computed(plan, executor, progress):
        pass
    return tuple(_fitted(plan, one) for one in plan.fits) if first else ()


@dataclass(frozen=True)
class _InMemory(ScoreStore):
    """A store that nothing is written to: what other processes than the first one fit."""

    fitted: dict[str, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)

    @contextmanager
    def fitting(self, name: str, key: str) -> Iterator[Path]:
        """The folder, which the first process holds."""
        yield self.fit_folder(name, key)

    def write_fit(self, spec: FitSpec, key: str, arrays: Arrays) -> None:
        """Keep them, for fits that build on them."""
        self.fitted[key] = dict(arrays)

    def read_fit(self, name: str, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """Those that were kept, or stored before."""
        return self.fitted.get(key) or super().read_fit(name, key)


def _demand_columns(plan: Plan) -> None:
    lacking = [step for step in plan.steps if step.missing]
    if lacking:
        raise UsageError(
            f"under torchrun fits are computed, but not the columns that they read: step "
            f"{lacking[0].spec.name!r} lacks {len(lacking[0].missing)} of "
            f"{len(lacking[0].tasks)} parts. First run a filter that computes them, such as the "
            "one whose score it is"
        )


def _fitted(plan: Plan, one: FitPlan) -> Fitted:
    arrays = plan.store.read_fit(one.spec.name, one.key)
    if arrays is None:
        raise FilterError(f"the arrays of fit {one.spec.name!r} are gone. Run again.")
    folder = plan.store.fit_folder(one.spec.name, one.key)
    return Fitted(one.spec.name, folder, one.stored, arrays)
