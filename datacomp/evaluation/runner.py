"""Evaluate an encoder on a suite, task by task, so that a run can stop anywhere and go on.

Each finished task leaves a file in `<out_dir>/tasks/`, written last, which holds what it was
computed from: encoder, dataset, task version, mode, and the hash of the task's outcomes, which
lie in `<out_dir>/outcomes/`. A file that was computed from anything else, or whose outcomes are not
there, is ignored and replaced. Features are kept, too (`store`): an unfinished task goes on where
it was. A task that fails is recorded as failed, with its error; it is tried again next time, and no
mean is formed over its absence.

Several processes that evaluate into the same folder share the tasks, the one with the most work
first. Who has none left computes features of tasks that others are at, and waits until all tasks
are done. Then each of them writes the report, the same one.
"""

import logging
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from datacomp.errors import DatacompError, EvaluationError, ReportError
from datacomp.evaluation.claims import claim, share
from datacomp.evaluation.dataset import dataset_sha256, read_templates
from datacomp.evaluation.features import Features
from datacomp.evaluation.store import FeatureStore
from datacomp.evaluation.stored import MODE, StoredResult
from datacomp.evaluation.tasks import evaluate_task
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
FEATURES_NAME = "features"

_log = logging.getLogger(__name__)


def evaluate(
    encoder: Encoder,
    suite: Suite,
    data_dir: Path,
    out_dir: Path,
    provenance: Provenance,
    progress: Progress | None = None,
    tasks: Collection[str] = (),
    features_dir: Path | None = None,
) -> Report:
    """Evaluate, and write `report.json` and `eval_results.jsonl` into `out_dir`.

    `tasks` names those to evaluate (default: all); results of others that stand in `out_dir`
    and still hold are part of the report too. Progress counts `n` of every task to evaluate.
    Features are kept in `features_dir` (default: `out_dir/features`); whatever evaluates the same
    encoder with the same folder shares them.
    """
    wanted = [suite[key] for key in dict.fromkeys(tasks)] or list(suite.tasks)
    store = FeatureStore(features_dir or out_dir / FEATURES_NAME, encoder.identity)
    work = _Work(data_dir, out_dir, Features(encoder, store), progress or NoProgress())
    wanted.sort(key=lambda spec: expected_work(spec, data_dir / spec.dataset), reverse=True)
    share(wanted, lambda spec: work.stored(spec).lock, work.settle, work.idle)
    if store.damaged:
        _log.warning("damaged files of features, computed again: %d", len(store.damaged))
    try:
        with claim(out_dir / "report.lock", wait=True):
            return _write_report(suite, provenance, work.recalled(suite), out_dir)
    except OSError as error:
        raise EvaluationError(
            f"cannot write the report into {out_dir}: {error.strerror}. Finished tasks are kept: "
            "mend that, and run the same command again"
        ) from error


def expected_work(spec: TaskSpec, folder: Path) -> float:
    """About how long a task takes, in pictures of 100 KB; a prompt takes as long as one of them."""
    n_bytes = sum(path.stat().st_size for path in folder.glob("test/*.tar"))
    try:
        n_prompts = (spec.n_classes or 0) * len(read_templates(folder))
    except EvaluationError:  # it has none, or evaluating it will say what is wrong
        n_prompts = 0
    return spec.n + n_prompts + n_bytes / 100_000


class _Work:
    """The tasks of one evaluation: done here, or found done."""

    def __init__(
        self, data_dir: Path, out_dir: Path, features: Features, progress: Progress
    ) -> None:
        self.data_dir, self.out_dir = data_dir, out_dir
        self.features, self.progress = features, progress
        self.results: dict[str, TaskResult] = {}
        self._helped: set[str] = set()

    def stored(self, spec: TaskSpec) -> StoredResult:
        """The task's place in the output folder."""
        return StoredResult(self.out_dir, spec, self.features.encoder.identity)

    def settle(self, spec: TaskSpec) -> None:
        """The life of a task: stored? evaluate; store; or say how it failed."""
        start = time.monotonic()
        progress = self.features.progress = _Share(self.progress, spec)
        identity = None
        try:
            identity = self._identity(spec)
            self.results[spec.key] = self.stored(spec).read(identity) or self._evaluate(
                spec, identity, start
            )
        except Exception as error:  # one broken task must not cost the others their hours
            known = isinstance(error, DatacompError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            self.results[spec.key] = TaskResult(
                status="failed",
                error=text[:2000] or "error",
                version=spec.version,
                n=spec.n,
                main_metric=spec.main_metric,
                metrics={},
                dataset_sha256=identity,
                seconds=round(time.monotonic() - start, 3),
            )
        progress.finish()

    def idle(self, busy: Sequence[TaskSpec]) -> None:
        """Do a part of a task that another process is at: once each, the longest first."""
        self.progress.advance(0, f"waits for {len(busy)}")
        spec = next((spec for spec in busy if spec.key not in self._helped), None)
        if spec is not None:
            self._helped.add(spec.key)
            self.features.progress = _Share(self.progress, spec, n=0)
            with suppress(Exception):  # the task is that process's, and so is its failure
                self.features.help(self.data_dir / spec.dataset)

    def recalled(self, suite: Suite) -> dict[str, TaskResult]:
        """All results in the suite's order, those included that only the disk knows.

        These are the tasks not wanted here, and those that failed here and not elsewhere.
        """
        results = {}
        for spec in suite.tasks:
            result, stored = self.results.get(spec.key), self.stored(spec)
            if (result is None or result.status == "failed") and stored.path.exists():
                with suppress(EvaluationError):
                    result = stored.read(self._identity(spec)) or result
            if result is not None:
                results[spec.key] = result
        return results

    def _evaluate(self, spec: TaskSpec, identity: str, start: float) -> TaskResult:
        evaluated = evaluate_task(spec, self.data_dir / spec.dataset, self.features)
        result = TaskResult(
            status="ok",
            version=spec.version,
            n=spec.n,
            main_metric=spec.main_metric,
            metrics=evaluated.metrics,
            dataset_sha256=identity,
            seconds=round(time.monotonic() - start, 3),
        )
        self.stored(spec).write(result, evaluated.outcomes)
        return result

    def _identity(self, spec: TaskSpec) -> str:
        return dataset_sha256(self.data_dir / spec.dataset, self.features.store.hashes)


class _Share:
    """A task's share of the progress: `spec.n` units, however many pictures it encodes."""

    def __init__(self, progress: Progress, spec: TaskSpec, n: int | None = None) -> None:
        self.progress, self.key, self.left = progress, spec.key, spec.n if n is None else n

    def advance(self, n: int = 1, note: str = "") -> None:
        step = min(n, self.left)
        self.left -= step
        self.progress.advance(step, f"{self.key} {note}".strip())

    def finish(self) -> None:
        self.advance(self.left)


def _write_report(
    suite: Suite, provenance: Provenance, results: dict[str, TaskResult], out_dir: Path
) -> Report:
    report = Report(
        schema="datacomp-report/1",
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


def _with_first_date(report: Report, path: Path) -> Report:
    """Keep the date of a report that says the same, so that a second run changes no byte."""
    try:
        before = read_report(path)
    except ReportError:
        return report
    dated = report.model_copy(update={"created": before.created})
    return dated if dated == before else report
