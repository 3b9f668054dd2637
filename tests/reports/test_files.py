"""Reports as files: what the schema refuses, the hash, and DataComp's line format."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacomp.errors import ReportError
from datacomp.reports import (
    InvalidReportError,
    Report,
    TaskResult,
    load_suite,
    parse_report,
    read_report,
    report_sha256,
    write_eval_results,
    write_report,
)

MakeReport = Callable[..., Report]


def refused(value: Any) -> list[str]:
    with pytest.raises(InvalidReportError) as caught:
        parse_report(json.dumps(value))
    return [f"{finding.code} {finding.message}" for finding in caught.value.findings]


def test_a_report_survives_its_file(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report()
    write_report(report, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report
    assert json.loads((tmp_path / "report.json").read_text())["schema"] == "datacomp-report/1"


def test_the_hash_does_not_depend_on_layout(make_report: MakeReport) -> None:
    report = make_report()
    shuffled = dict(reversed(list(report.as_json().items())))
    again = parse_report(json.dumps(shuffled, indent=7))
    assert report_sha256(again) == report_sha256(report)
    assert report_sha256(make_report(level=0.31)) != report_sha256(report)


def test_every_violation_is_listed(make_report: MakeReport) -> None:
    value = make_report().as_json()
    value["colour"] = "red"
    value["provenance"]["seed"] = "zero"
    del value["suite"]["name"]
    found = refused(value)
    assert len(found) == 3
    assert all(text.startswith("E001") for text in found)
    assert any("provenance.seed" in text for text in found)


def test_a_report_of_a_model_survives_its_file(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report(model={})
    write_report(report, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report
    with pytest.raises(ReportError, match="ViT-B-32 openai, not of a training run"):
        _ = report.run


def test_the_places_in_either_provenance_are_those_of_the_file(make_report: MakeReport) -> None:
    value = make_report(model={}).as_json()
    value["provenance"]["preprocessing"]["size"] = [224]
    value["provenance"]["model"] = 32
    assert {text.split(":")[0] for text in refused(value)} == {
        "E001 provenance.model",
        "E001 provenance.preprocessing.size.1",
    }


def test_a_provenance_is_of_a_run_or_of_a_model(make_report: MakeReport) -> None:
    value = make_report().as_json()
    value["provenance"] |= {"weights_sha256": "e" * 64}
    assert refused(value)
    value["provenance"] = "unknown"
    assert refused(value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite(make_report: MakeReport, number: str) -> None:
    value = make_report().as_json()
    value["tasks"]["names"]["metrics"]["acc1"]["value"] = "HERE"
    with pytest.raises(InvalidReportError) as caught:
        parse_report(json.dumps(value).replace('"HERE"', number))
    (finding,) = caught.value.findings
    assert finding.code == "E002"
    assert "tasks.names.metrics.acc1.value" in finding.message


@pytest.mark.parametrize("n", [10**400, -1])
def test_counts_stay_countable(make_report: MakeReport, n: int) -> None:
    value = make_report().as_json()
    value["tasks"]["names"]["n"] = n
    assert "tasks.names.n" in refused(value)[0]


def test_another_schema_version_is_refused(make_report: MakeReport) -> None:
    assert "schema" in refused({**make_report().as_json(), "schema": "datacomp-report/2"})[0]


def test_no_json_at_all() -> None:
    with pytest.raises(ReportError, match="mine is not a datacomp-report/1"):
        parse_report(b"\x00\xff", "mine")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nowhere\.json"):
        read_report(tmp_path / "nowhere.json")


def test_eval_results_are_datacomps_lines(make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report()
    path = tmp_path / "eval_results.jsonl"
    write_eval_results(report, path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["key"] for row in rows] == [task.key for task in load_suite("tiny").tasks]
    assert rows[0]["dataset"] == "Names"
    assert rows[0]["metrics"]["acc1"] == report.tasks["names"].metrics["acc1"].value
    assert rows[0]["metrics"]["main_metric"] == rows[0]["metrics"]["acc1"]


def test_a_failed_task_has_no_line(make_report: MakeReport, tmp_path: Path) -> None:
    failed = TaskResult(
        status="failed",
        error="no such folder",
        version=1,
        n=1,
        main_metric="acc1",
        metrics={},
        dataset_sha256=None,
        seconds=0.0,
    )
    path = tmp_path / "eval_results.jsonl"
    write_eval_results(make_report(tasks={"names": failed}), path)
    assert '"names"' not in path.read_text()
