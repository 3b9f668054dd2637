"""Run a filter on a pool: compute what the store lacks, select, and say how it came about."""

import platform
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from datacomp.filtering.compute import StepReport, computed
from datacomp.filtering.contract import Filter
from datacomp.filtering.executor import Executor, LocalExecutor
from datacomp.filtering.plan import Plan, explain
from datacomp.filtering.registry import FILTERS
from datacomp.filtering.selection import Selection
from datacomp.filtering.spec import implementation, leaves
from datacomp.filtering.tree import describe, plugin_files
from datacomp.filtering.view import Reads, Source, View
from datacomp.pool import Part, Pool
from datacomp.progress import NoProgress, Progress
from datacomp.subset import Subset
from datacomp.subset.blocks import SubsetFacts
from datacomp.subset.external import SubsetSpool

MAX_MEMORY = 64 * 2**20
"""Bytes of kept uids, and of the room to sort them, before they go to temporary files."""


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
    plan = explain(chosen, pool, store_dir, progress)
    spool = SubsetSpool(max_memory)
    with computed(plan, executor or LocalExecutor(), progress) as (reports, source):
        counts = _select(plan, source, spool, progress)
    return FilterResult(spool, _lock(plan, counts, time.perf_counter() - start), counts, reports)


@contextmanager
def scored(
    chosen: Filter,
    pool: Pool,
    store_dir: Path,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Iterator[View]:
    """Compute what is missing, and give the view on which the filter's scores can be read.

    `read = chosen.score().open(view)`, then `read(rows)` for every part of `view.parts()`.
    """
    progress = progress or NoProgress()
    plan = explain(chosen, pool, store_dir, progress)
    with computed(plan, executor or LocalExecutor(), progress) as (_, source):
        yield View(source, Reads.by_filter(chosen))


def _select(plan: Plan, source: Source, spool: SubsetSpool, progress: Progress) -> Counts:
    """Walk the parts with what the filter says of each; every row is kept or counted."""
    kept, entries, dropped = 0, 0, Counter[str]()
    for part, selection in _paired(plan, View(source, Reads.by_filter(plan.chosen))):
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
        "keys": keys + [{"fit": fit.spec.name, "key": fit.key} for fit in plan.fits],
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
