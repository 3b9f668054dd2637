"""Reports as files: strict reading, atomic writing, the hash, and DataComp's own line format."""

import json
import re
from pathlib import Path

from pydantic import ValidationError

from datacomp.errors import ReportError
from datacomp.files import sha256_json, write_bytes, write_json
from datacomp.reports.findings import Finding
from datacomp.reports.schema import MODEL, RUN, Report
from datacomp.reports.suite import load_suite

_SHOWN = 5
# Names of accuracies of groups, and of what faces are taken for; their end names the group.
_GROUP = re.compile(
    r"(?:acc(?:_top5|_race(?=_race)|_gender(?:_x)?(?=_race)|_age(?=_race))?"
    r"|toxicity_(?:crime|nonhuman))_(.+:\d+)"
)


class InvalidReportError(ReportError):
    """The bytes do not follow the schema; `findings` lists every place where they do not."""

    def __init__(self, origin: str, findings: list[Finding]) -> None:
        self.findings = findings
        shown = "; ".join(finding.message for finding in findings[:_SHOWN])
        more = f"; and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
        super().__init__(f"{origin} is not a datacomp-report/1: {shown}{more}")


def parse_report(data: bytes | str, origin: str = "report") -> Report:
    """Read a report from JSON; `InvalidReportError` with every violation (E001, E002)."""
    try:
        return Report.model_validate_json(data)
    except ValidationError as error:
        findings = []
        for item in error.errors(include_url=False, include_input=False):
            parts = [str(part) for part in item["loc"] if part not in (RUN, MODEL)]
            place = ".".join(parts) or "document"
            code = "E002" if item["type"] == "finite_number" else "E001"
            findings.append(Finding(code, None, f"{place}: {item['msg']}"))
        raise InvalidReportError(origin, findings) from error


def read_report(path: str | Path) -> Report:
    """Read a report file; `ReportError` if it is not there or does not follow the schema."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read the report {path}: {error.strerror}") from error
    return parse_report(data, str(path))


def write_report(report: Report, path: str | Path) -> None:
    """Write a report as indented JSON, atomically."""
    write_json(Path(path), report.as_json())


def report_sha256(report: Report) -> str:
    """Hex sha256 of the report's canonical JSON; the file's layout does not matter."""
    return sha256_json(report.as_json())


def write_eval_results(report: Report, path: str | Path) -> None:
    """Write DataComp's `eval_results.jsonl`, atomically: a line a task, in the suite's order.

    `{"key", "dataset": the task's title, "metrics": {name: value, "main_metric": value}}`.
    Beside the accuracy of a group stands `count_<group>`, its pictures. Failed tasks have no line.
    Undefined values are null; the original wrote a bare NaN there.
    """
    lines = []
    for task in load_suite(report.suite.name).tasks:
        result = report.tasks.get(task.key)
        if result is None or result.status != "ok":
            continue
        metrics: dict[str, float | None] = {}
        for name, metric in result.metrics.items():
            metrics[name] = metric.value
            if (group := _GROUP.fullmatch(name)) and metric.n is not None:
                metrics[f"count_{group[1]}"] = float(metric.n)
        main = result.main.value if result.main else None
        row = {"key": task.key, "dataset": task.name, "metrics": {**metrics, "main_metric": main}}
        lines.append(json.dumps(row, allow_nan=False, ensure_ascii=False) + "\n")
    write_bytes(Path(path), "".join(lines).encode())
