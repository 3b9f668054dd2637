"""The service's checks of a report, made here; nothing is sent."""

from pathlib import Path

from datacomp.errors import UnknownNameError
from datacomp.reports import (
    Finding,
    InvalidReportError,
    Report,
    check_report,
    check_submittable,
    load_suite,
    read_report,
)


def findings_of(report: Report) -> list[Finding]:
    """Every reason for which a service would refuse this report.

    The same checks as the service's, by the same code; the service adds its own rules on names.
    """
    try:
        suite = load_suite(report.suite.name)
    except UnknownNameError as error:
        return [Finding("S105", None, str(error))]
    return [*check_report(report, suite), *check_submittable(report)]


def findings_in(path: Path) -> list[Finding]:
    """`findings_of` the report in a file, or why the file is no report (E001, E002)."""
    try:
        return findings_of(read_report(path))
    except InvalidReportError as error:
        return error.findings
