"""Evaluate an encoder on a suite, task by task, so that a run can stop anywhere and go on.

Each finished task leaves a file in `<out_dir>/tasks/`, written last, which holds what it was
computed from: checkpoint, dataset, task version, mode, and the hash of the task's outcomes, which
lie in `<out_dir>/outcomes/`. A file that was computed from anything else, or whose outcomes are not
there, is ignored and replaced. A task that fails is recorded as failed, with its error; it is
tried again next time, and no mean is formed over its absence.
"""

import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from datacomp.errors import DatacompError, ReportError
from datacomp.evaluation.dataset import dataset_sha256
from datacomp.evaluation.features import Features
from datacomp.evaluation.outcomes import Outcomes, outcomes_path, write_outcomes
from datacomp.evaluation.tasks import evaluate_task
from datacomp.files import sha256_file, sha256_json, write_json
from datacomp.pool.encoder import Encoder
from datacomp.progress import NoProgress, Progress
from datacomp.reports import (
    Provenance,
    Report,
    Suite,
    SuiteRef,
    TaskResult,
    TaskSpec,
    aggregate,
    read_report,
    write_eval_results,
    write_report,
)

REPORT_NAME = "report.json"
EVAL_RESULTS_NAME = "eval_results.jsonl"
MODE: Final = "reference"


def evaluate(
    encoder: Encoder,
    suite: Suite,
    data_dir: Path,
    out_dir: Path,
    provenance: Provenance,
    progress: Progress | None = None,
    tasks: Collection[str] = (),
) -> Report:
    """Evaluate, and write `report.json` and `eval_results.jsonl` into `out_dir`.

    `tasks` names those to evaluate (default: all); results of others that stand in `out_dir`
    and still hold are part of the report too. Progress counts `n` of every task to evaluate.
    """
    wanted = [suite[key] for key in tasks] or list(suite.tasks)
    progress = progress or NoProgress()
    features = Features(encoder)
    results = {}
    for spec in suite.tasks:
        store = _Store(out_dir, spec, encoder.identity)
        if spec in wanted:
            features.progress = _Share(progress, spec)
            results[spec.key] = _evaluate_one(spec, data_dir / spec.dataset, features, store)
            features.progress.finish()
        elif stored := store.read(_hash_or_none(data_dir / spec.dataset)):
            results[spec.key] = stored
    report = Report(
        created=datetime.now(UTC).replace(microsecond=0),
        suite=SuiteRef(name=suite.name, sha256=suite.sha256),
        mode=MODE,
        provenance=provenance,
        tasks=results,
        aggregates=aggregate(suite, results),
    )
    report = _with_first_date(report, out_dir / REPORT_NAME)
    write_eval_results(report, out_dir / EVAL_RESULTS_NAME)
    write_report(report, out_dir / REPORT_NAME)
    return report


def _evaluate_one(spec: TaskSpec, folder: Path, features: Features, store: "_Store") -> TaskResult:
    """The life of a task: stored? evaluate; store; or say how it failed."""
    start = time.monotonic()
    identity = None
    try:
        identity = dataset_sha256(folder)
        if stored := store.read(identity):
            return stored
        evaluated = evaluate_task(spec, folder, features)
        result = TaskResult(
            status="ok",
            version=spec.version,
            n=spec.n,
            main_metric=spec.main_metric,
            metrics=evaluated.metrics,
            dataset_sha256=identity,
            seconds=round(time.monotonic() - start, 3),
        )
        store.write(result, evaluated.outcomes)
    except Exception as error:  # one broken task must not cost the others their hours
        known = isinstance(error, DatacompError)
        return TaskResult(
            status="failed",
            error=(str(error) if known else f"{type(error).__name__}: {error}")[:2000] or "error",
            version=spec.version,
            n=spec.n,
            main_metric=spec.main_metric,
            metrics={},
            dataset_sha256=identity,
            seconds=round(time.monotonic() - start, 3),
        )
    return result


def _with_first_date(report: Report, path: Path) -> Report:
    """Keep the date of a report that says the same, so that a second run changes no byte."""
    try:
        before = read_report(path)
    except ReportError:
        return report
    dated = report.model_copy(update={"created": before.created})
    return dated if dated == before else report


class _Store:
    """Result and outcomes of one task, valid for one encoder, dataset and task version."""

    def __init__(self, out_dir: Path, spec: TaskSpec, encoder: str) -> None:
        self.path = out_dir / "tasks" / f"{spec.key.replace('/', '__')}.json"
        self.outcomes = outcomes_path(out_dir, spec.key)
        self.facts = {"checkpoint": encoder, "task": spec.identity(), "mode": MODE}

    def read(self, dataset: str | None) -> TaskResult | None:
        try:
            stored = json.loads(self.path.read_bytes())
            if dataset is None or stored["computed_from"] != self._key(dataset):
                return None
            if stored["outcomes"] != sha256_file(self.outcomes):
                return None
            return TaskResult.model_validate(stored["result"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def write(self, result: TaskResult, outcomes: Outcomes) -> None:
        write_outcomes(self.outcomes, outcomes)
        facts = {
            "computed_from": self._key(result.dataset_sha256 or ""),
            "outcomes": sha256_file(self.outcomes),
            "result": result.model_dump(mode="json"),
        }
        write_json(self.path, facts)

    def _key(self, dataset: str) -> str:
        return sha256_json({**self.facts, "dataset": dataset})


class _Share:
    """A task's share of the progress: `spec.n` units, however many pictures it encodes."""

    def __init__(self, progress: Progress, spec: TaskSpec) -> None:
        self.progress, self.spec, self.left = progress, spec, spec.n

    def advance(self, n: int = 1, note: str = "") -> None:
        step = min(n, self.left)
        self.left -= step
        self.progress.advance(step, note or self.spec.key)

    def finish(self) -> None:
        self.advance(self.left)


def _hash_or_none(folder: Path) -> str | None:
    return dataset_sha256(folder) if folder.is_dir() else None
