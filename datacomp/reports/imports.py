"""Reading `eval_results.jsonl`, the original's or ours, into task results.

Such a file says what was scored and nothing of what was trained or which pictures were at hand:
it makes a table and one side of a comparison, and no report.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import ReportError
from datacomp.reports.checks import PROPORTIONS
from datacomp.reports.schema import Metric, TaskResult
from datacomp.reports.suite import Suite, TaskSpec


@dataclass(frozen=True)
class Imported:
    """The suite's tasks that the file has, in the suite's order, and what else is to be told.

    `unknown` lists keys that the suite does not have; `notes` says, line by line, what could not be
    taken over.
    """

    tasks: dict[str, TaskResult]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


def read_eval_results(path: str | Path, suite: Suite) -> Imported:
    """Read a file of DataComp's lines `{"key", "dataset", "metrics"}`; `ReportError` if it is none.

    A bare NaN is an undefined value. A task is known by its key, title or folder, and by
    CLIP_benchmark's `wds/...`. The main metric is the suite's, whatever the line calls so. Standard
    errors are given to accuracies over all pictures; of other metrics a file does not say enough.
    """
    known = {name: spec for spec in suite.tasks for name in _names(spec)}
    found: dict[str, TaskResult] = {}
    unknown: list[str] = []
    notes: list[str] = []
    for where, row in _rows(Path(path)):
        key = str(row.get("key") or row.get("dataset") or "a line without a name")[:80]
        spec = known.get(key) or known.get(str(row.get("dataset")))
        if spec is None:
            unknown.append(key)
            continue
        if spec.key in found:
            raise ReportError(f"{where}: task {spec.key!r} is there twice; keep one of the lines")
        values = _values(where, row["metrics"])
        found[spec.key] = _result(where, spec, values)
        notes += _notes(spec, values)
    tasks = {spec.key: found[spec.key] for spec in suite.tasks if spec.key in found}
    return Imported(tasks, tuple(unknown), tuple(notes))


def _names(spec: TaskSpec) -> Iterator[str]:
    dashed = spec.key.replace("/", "-")
    yield from (spec.key, spec.name, spec.dataset)
    yield from (f"wds/{spec.key}", f"wds_{dashed}", f"wds/{dashed}")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"cannot read {path}: {error}") from error
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{i}"
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise ReportError(f"{where} is not JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("metrics"), dict):
            raise ReportError(f"{where}: expected key, dataset and metrics, got {line[:80]!r}")
        yield where, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; `ValueError` if it has a name twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice in one object")
    return found


def _values(where: str, metrics: Mapping[str, Any]) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, value in metrics.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ReportError(f"{where}: {name} is {value!r:.80}, expected a number or null")
        values[name] = None if value is None else _finite(where, name, value)
    return values


def _finite(where: str, name: str, value: float) -> float | None:
    """The number, None for a bare NaN."""
    try:
        found = float(value)
    except OverflowError:  # an integer of hundreds of digits
        found = math.inf
    if math.isinf(found):
        raise ReportError(f"{where}: {name} is {str(value)[:20]}, expected a finite number")
    return None if math.isnan(found) else found


def _result(where: str, spec: TaskSpec, values: Mapping[str, float | None]) -> TaskResult:
    metrics = {}
    for name in spec.metrics:
        if name in values:
            value = values[name]
            if value is not None and not 0 <= value <= 1:
                raise ReportError(f"{where}: {name} is {value}, expected 0 to 1")
            metrics[name] = _metric(spec, name, value)
    return TaskResult(
        status="ok",
        version=spec.version,
        n=spec.n,
        main_metric=spec.main_metric,
        metrics=metrics,
        dataset_sha256=None,
        seconds=0.0,
    )


def _metric(spec: TaskSpec, name: str, value: float | None) -> Metric:
    share = name in PROPORTIONS and value is not None
    return Metric(
        value=value,
        stderr=math.sqrt(value * (1 - value) / spec.n) if share and value is not None else None,
        chance=spec.chance.get(name),
        n=spec.n if share else None,
    )


def _notes(spec: TaskSpec, values: Mapping[str, float | None]) -> Iterator[str]:
    own = values.get(spec.main_metric or "")
    if spec.scored and own is None:
        yield f"{spec.key} has no {spec.main_metric}, which is its main metric"
    stated = values.get("main_metric")
    if own is not None and stated is not None and abs(own - stated) > 1e-6:
        main = spec.main_metric
        yield f"{spec.key}: main_metric is {stated}, its {main} {own}; the latter counts"
    known = {*spec.metrics, "main_metric"}
    strange = [name for name in values if name not in known and not name.startswith("count_")]
    if strange:
        yield f"{spec.key}: unknown metrics left out: {', '.join(strange)}"
