"""`datacomp report` from the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datacomp.cli.report import app
from datacomp.errors import ReportError
from datacomp.reports import Report, json_schema, load_suite, write_eval_results, write_report

GOLDEN = Path(__file__).parents[1] / "golden" / "eval" / "eval_results.jsonl"
PNG = b"\x89PNG\r\n"
MakeReport = Callable[..., Report]


def call(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def reports(make_report: MakeReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two reports without outcomes."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    for i in (0, 1):
        write_report(make_report(level=0.3 + 0.1 * i, seed=i), Path(str(i)) / "report.json")
    return [Path("0"), Path("1")]


def test_a_picture_that_cannot_be_written_is_told_in_a_line(reports: list[Path]) -> None:
    Path("file").write_text("")
    result = call("show", reports[0], "-o", "file/x.png")
    assert "cannot write the picture file/x.png" in str(result.exception)


def fits(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


def test_show_has_every_task_by_group(reports: list[Path], tmp_path: Path) -> None:
    result = call("show", reports[0], "-o", tmp_path / "a.png")
    assert result.exit_code == 0
    assert fits(result.stdout)
    lines = result.stdout.splitlines()
    for task in load_suite("tiny").tasks:
        (line,) = (one for one in lines if one.startswith(f" {task.name} "))
        assert f"{task.noise:.4f}" in line
    for group in load_suite("tiny").groups:
        assert any(line.startswith(f"{group} ") and "mean of" in line for line in lines)
    assert any("Average" in line and "0.0733  0.0038" in line for line in lines)
    assert "tiny, subset everything, seed 0" in result.stdout
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


def test_show_json(reports: list[Path]) -> None:
    found = json.loads(call("show", reports[0] / "report.json", "--json").stdout)
    assert found["submittable"]
    assert found["average"]["noise"] == pytest.approx(0.0038, abs=5e-5)
    assert found["tasks"]["names"]["value"] == 0.3
    assert found["tasks"]["names"]["stderr"] == pytest.approx((0.21 / 200) ** 0.5)


def test_what_is_missing_is_said(make_report: MakeReport, reports: list[Path]) -> None:
    write_report(make_report("datacomp38"), Path("0/report.json"))
    result = call("show", "0")
    assert fits(result.stdout)
    assert "No noise floor (≥ takes it as 0): vtab/caltech101," in result.stdout
    assert "≥0." in result.stdout


def test_compare_prints_and_draws(reports: list[Path], tmp_path: Path) -> None:
    result = call("compare", *reports, "-o", tmp_path / "c.png")
    assert result.exit_code == 0
    assert fits(result.stdout)
    assert "+0.1000" in result.stdout
    assert "▲*" in result.stdout
    assert "* not paired" in result.stdout
    assert (tmp_path / "c.png").read_bytes().startswith(PNG)


def test_compare_json(reports: list[Path]) -> None:
    found = json.loads(call("compare", *reports, "--json").stdout)
    names = found["tasks"]["names"]
    assert names["difference"] == pytest.approx(0.1)
    assert names["verdict"] == "higher"
    assert not names["paired"]
    assert 0 < names["p"] < 0.05
    assert set(found["groups"]) == set(load_suite("tiny").groups)


def test_an_incomplete_comparison_says_why(make_report: MakeReport, reports: list[Path]) -> None:
    report = make_report()
    kept = {key: one for key, one in report.tasks.items() if key != "names"}
    write_report(report.model_copy(update={"tasks": kept}), Path("1/report.json"))
    result = call("compare", *reports)
    assert result.exit_code == 0
    assert "not in both" in result.stdout
    assert "incomplete" in result.stdout
    assert "names: no acc1 in 1/report.json" in result.stdout


def test_check_lists_what_the_service_would_refuse(
    make_report: MakeReport, reports: list[Path]
) -> None:
    assert (call("check", reports[0]).stdout.splitlines()[-1], call("check", "0").exit_code) == (
        "ok",
        0,
    )
    value = json.loads(Path("1/report.json").read_text())
    value["tasks"]["names"]["version"] = 99
    Path("1/report.json").write_text(json.dumps(value))
    result = call("check", "1")
    assert result.exit_code == 1
    assert "E204 [names]" in result.stdout
    Path("1/report.json").write_text("{}")
    found = json.loads(call("check", "1", "--json").stdout)
    assert {one["code"] for one in found} == {"E001"}
    write_report(make_report(model={}), Path("1/report.json"))
    assert "E504" in call("check", "1").stdout


def test_schema_is_the_published_one() -> None:
    assert json.loads(call("schema").stdout) == json_schema()


def test_import_shows_the_official_means(reports: list[Path], tmp_path: Path) -> None:
    shutil.copy(GOLDEN, "eval_results.jsonl")
    result = call("import", "eval_results.jsonl", "-o", tmp_path / "i.png")
    assert result.exit_code == 0
    assert fits(result.stdout)
    (average,) = (line for line in result.stdout.splitlines() if line.startswith("Average"))
    assert "mean of 38" in average
    assert "0.8566" in average
    assert "cannot be submitted" in result.stdout
    assert (tmp_path / "i.png").read_bytes().startswith(PNG)
    found = json.loads(call("import", "eval_results.jsonl", "--json").stdout)
    assert not found["submittable"]
    assert found["average"]["value"] == pytest.approx(0.8566, abs=5e-5)


def test_an_imported_file_compares_with_a_report(
    make_report: MakeReport, reports: list[Path]
) -> None:
    write_eval_results(make_report(), Path("mine.jsonl"))
    result = call("compare", reports[1], "mine.jsonl")
    assert result.exit_code == 0
    assert "? no standard error on one side." in result.stdout


def test_a_folder_without_a_report_is_refused(reports: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert isinstance(call("show", "empty").exception, ReportError)
