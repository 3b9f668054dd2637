"""Is this a submission that may be stored? Pure; every reason is listed, not just the first.

The report's own checks are `datacomp.reports.check_report`, the same that the command line runs
before it sends. Here stand the rules that only a service has:

S101 method name         S102 description        S103 text inside the report
S104 unknown scale       S105 unknown suite      S106 suite of another scale
S201 lock of another subset                      S202 lock not readable
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datacomp.errors import UnknownNameError
from datacomp.files import canonical_json
from datacomp.reports import (
    Finding,
    InvalidReportError,
    Report,
    check_report,
    check_submittable,
    load_suite,
    parse_report,
)
from datacomp_leaderboard.scales import SCALES
from datacomp_server.kit import text
from datacomp_server.kit.errors import FindingOut, Refused
from datacomp_server.submissions.schemas import (
    MAX_DESCRIPTION_LENGTH,
    MAX_METHOD_LENGTH,
    SubmissionIn,
)


@dataclass(frozen=True)
class ValidSubmission:
    """A submission that passed every rule; made by `validate` only."""

    method: str
    description: str | None
    report: Report
    report_json: bytes
    lock_json: bytes | None
    oracle: bool


def validate(submission: SubmissionIn) -> ValidSubmission:
    """The submission, cleaned and typed; `Refused` with every finding if it breaks a rule."""
    method = text.clean(submission.method)
    description = text.clean(submission.description or "") or None
    findings = [*_texts(method, description)]
    report: Report | None = None
    try:
        report = parse_report(json.dumps(submission.report))
    except InvalidReportError as error:
        findings += error.findings
    except (ValueError, RecursionError) as error:
        findings.append(Finding("E001", None, f"the report is not JSON: {error}"))
    if report is not None and not (no_run := check_submittable(report)):
        findings += [*_check(report), *_report_texts(report)]
        findings += _lock(submission.lock, report)
    elif report is not None:
        findings += no_run
    lock_json = _lock_json(submission.lock, findings)
    if findings or report is None:
        raise _refusal(findings)
    oracle = bool(submission.lock and submission.lock.get("uses_truth"))
    report_json = canonical_json(report.as_json())
    return ValidSubmission(method, description, report, report_json, lock_json, oracle)


def _check(report: Report) -> list[Finding]:
    found = []
    scale, suite_name = report.run.scale, report.suite.name
    if scale not in SCALES:
        known = ", ".join(SCALES)
        found.append(Finding("S104", None, f"no scale is named {scale!r}; there are: {known}"))
    elif suite_name != SCALES[scale].suite:
        expected = SCALES[scale].suite
        message = f"suite is {suite_name!r}, the board of scale {scale!r} ranks by {expected!r}"
        found.append(Finding("S106", None, message))
    try:
        suite = load_suite(suite_name)
    except UnknownNameError as error:
        return [*found, Finding("S105", None, str(error))]
    return found + check_report(report, suite)


def _texts(method: str, description: str | None) -> Iterator[Finding]:
    for problem in text.problems(method, limit=MAX_METHOD_LENGTH):
        yield Finding("S101", None, f"the method's name {problem}")
    if description is not None:
        for problem in text.problems(description, limit=MAX_DESCRIPTION_LENGTH, multiline=True):
            yield Finding("S102", None, f"the description {problem}")


def _report_texts(report: Report) -> Iterator[Finding]:
    provenance = report.run
    texts = {
        "recipe_id": provenance.recipe_id,
        "pool_id": provenance.pool_id,
        "subset.name": provenance.subset.name,
    }
    for key, value in provenance.platform.items():
        texts[f"platform key {key!r}"] = key
        texts[f"platform.{key}"] = value
    for name, value in texts.items():
        for problem in text.problems(value, limit=200):
            yield Finding("S103", None, f"provenance {name} {problem}")


def _lock(lock: Mapping[str, Any] | None, report: Report) -> Iterator[Finding]:
    if lock is None:
        return
    for name, expected in report.run.subset.model_dump(exclude={"name"}).items():
        if lock.get(name) != expected:
            yield Finding(
                "S201", None, f"the lock's {name} is {lock.get(name)!r}, the report's {expected!r}"
            )
    if not isinstance(lock.get("uses_truth", False), bool):
        yield Finding("S202", None, "the lock's uses_truth is neither true nor false")


def _lock_json(lock: Mapping[str, Any] | None, findings: list[Finding]) -> bytes | None:
    if lock is None:
        return None
    try:
        return canonical_json(lock)
    except (ValueError, RecursionError) as error:
        findings.append(Finding("S202", None, f"the lock is not plain JSON: {error}"))
        return None


def _refusal(findings: list[Finding]) -> Refused:
    reasons = "1 reason" if len(findings) == 1 else f"{len(findings)} reasons"
    return Refused(
        f"refused for {reasons}, nothing stored",
        code="submission_refused",
        findings=[FindingOut(code=f.code, message=f.message, task=f.task) for f in findings],
    )
