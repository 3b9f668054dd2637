"""What is known of an evaluation: its report, or an imported file, and the outcomes beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from datacomp.errors import EvaluationError, ReportError, UsageError
from datacomp.evaluation.outcomes import Outcomes, outcomes_path, read_outcomes
from datacomp.evaluation.paired import units_of
from datacomp.evaluation.runner import REPORT_NAME
from datacomp.reports import (
    Aggregates,
    Report,
    RunProvenance,
    Suite,
    TaskResult,
    TaskSpec,
    aggregate,
    load_suite,
    read_eval_results,
    read_report,
)

DEFAULT_IMPORT = "datacomp38"
IMPORTED = ".jsonl"
# A value formed again from the same outcomes may differ in the last bits of a sum.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Results:
    """Task results of one suite; `report` is None for an imported file."""

    path: Path
    suite: Suite
    tasks: Mapping[str, TaskResult]
    report: Report | None = None
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A few words for what was evaluated."""
        p = self.report.provenance if self.report else None
        if p is None:
            return self.path.name
        if isinstance(p, RunProvenance):
            return f"{p.scale}, subset {p.subset.name}, seed {p.seed}"
        return f"{p.model}, {p.pretrained}"

    @property
    def aggregates(self) -> Aggregates:
        """The means that follow from the tasks."""
        return aggregate(self.suite, self.tasks)

    def outcomes(self, spec: TaskSpec) -> Outcomes | None:
        """A task's outcomes; None if there are none, `EvaluationError` if they are another's."""
        result = self.tasks.get(spec.key)
        path = outcomes_path(self.path.parent, spec.key)
        if self.report is None or result is None or result.main is None or not path.exists():
            return None
        found = read_outcomes(path)
        try:
            units = units_of(spec, found)
            value = units.value if units else None
        except Exception as error:  # whatever arrays of other names, shapes or types lead to
            raise EvaluationError(
                f"{path} are not outcomes of {spec.key!r} ({type(error).__name__}). Evaluate the "
                "run again"
            ) from error
        if value is not None and abs(value - (result.main.value or 0)) > _TOLERANCE:
            raise EvaluationError(
                f"{path} gives {spec.main_metric} {value:.6f}, the report {self.path} says "
                f"{result.main.value}: they are of different evaluations. Evaluate the run again"
            )
        return found


def open_results(path: Path, suite: str | None = None) -> Results:
    """Results of a report file, a run, a folder with a report, or an `eval_results.jsonl`.

    `suite` chooses among a run's reports, and says of which suite an imported file is.
    """
    if path.suffix == IMPORTED:
        imported_suite = load_suite(suite or DEFAULT_IMPORT)
        found = read_eval_results(path, imported_suite)
        return Results(path, imported_suite, found.tasks, unknown=found.unknown, notes=found.notes)
    path = find_report(path, suite)
    report = read_report(path)
    return Results(path, load_suite(report.suite.name), report.tasks, report)


def open_pair(a: Path, b: Path, suite: str | None = None) -> tuple[Results, Results]:
    """Results of two, where an imported file is of the other one's suite unless `suite` says it."""
    if a.suffix == IMPORTED and b.suffix != IMPORTED:
        second, first = open_pair(b, a, suite)
        return first, second
    first = open_results(a, suite)
    imported = b.suffix == IMPORTED
    return first, open_results(b, suite or (first.suite.name if imported else None))


def find_report(path: Path, suite: str | None = None) -> Path:
    """The report that `path` is or holds; `ReportError` if there is none, `UsageError` if many."""
    if not path.is_dir():
        return path
    if (path / REPORT_NAME).is_file():
        return path / REPORT_NAME
    found = sorted(path.glob(f"evaluation/{suite or '*'}/{REPORT_NAME}"))
    if not found:
        which = f" of suite {suite!r}" if suite else ""
        raise ReportError(f"{path} holds no report{which}. Run: datacomp evaluate {path}")
    if len(found) > 1:
        names = ", ".join(one.parent.name for one in found)
        raise UsageError(f"{path} has reports of {len(found)} suites ({names}): choose by --suite")
    return found[0]
