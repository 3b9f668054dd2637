"""Reading `eval_results.jsonl`: the original's, CLIP_benchmark's names, ours, and broken ones."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacomp.errors import ReportError
from datacomp.reports import (
    Report,
    aggregate,
    load_suite,
    read_eval_results,
    write_eval_results,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "eval" / "eval_results.jsonl"
ROWS = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
SUITE = load_suite("datacomp38")
# What the original's aggregate_scores.py prints for that file.
OFFICIAL = {
    "ImageNet": 0.908,
    "ImageNet dist. shifts": 0.907,
    "VTAB": 0.917,
    "Retrieval": 0.391,
    "Average": 0.857,
}


def write(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "eval_results.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def row(key: str = "cifar10", **metrics: Any) -> str:
    return json.dumps({"key": key, "dataset": key, "metrics": metrics}) + "\n"


def test_the_originals_file_gives_the_originals_means() -> None:
    found = read_eval_results(GOLDEN, SUITE)
    assert (found.unknown, found.notes) == ((), ())
    aggregates = aggregate(SUITE, found.tasks)
    means = {name: mean.value for name, mean in aggregates.groups.items()}
    assert {n: round(v, 3) for n, v in {**means, "Average": aggregates.average.value}.items()} == (
        OFFICIAL
    )
    scored = [r["metrics"]["main_metric"] for r in ROWS if r["metrics"]["main_metric"] is not None]
    assert len(scored) == 38
    assert aggregates.average.value == pytest.approx(math.fsum(scored) / 38, abs=1e-9)


def test_every_number_is_taken_over_and_nan_is_undefined() -> None:
    found = read_eval_results(GOLDEN, SUITE).tasks
    assert list(found) == [spec.key for spec in SUITE.tasks]
    for original in ROWS:
        metrics = found[original["key"]].metrics
        for name, value in original["metrics"].items():
            if name.startswith("count_") or name == "main_metric":
                continue
            undefined = value is None or math.isnan(value)
            assert metrics[name].value == (None if undefined else value)


def test_accuracies_get_their_standard_error_and_others_none() -> None:
    found = read_eval_results(GOLDEN, SUITE).tasks
    p = found["cifar10"].metrics["acc1"]
    assert p.stderr == pytest.approx(math.sqrt(p.value * (1 - p.value) / 10_000))
    assert found["vtab/pets"].main.stderr is None
    assert aggregate(SUITE, found).average.stderr is None


def test_our_own_lines_have_what_the_originals_have(
    make_report: Callable[..., Report], tmp_path: Path
) -> None:
    path = tmp_path / "ours.jsonl"
    write_eval_results(make_report("datacomp38"), path)
    ours = {r["key"]: r for r in map(json.loads, path.read_text().splitlines())}
    assert list(ours) == [r["key"] for r in ROWS]
    faces = {"fairness/fairface", "fairness/utkface"}  # the builder gives their metrics no counts
    for original in ROWS:
        mine = ours[original["key"]]
        assert mine["dataset"] == original["dataset"]
        names = set(original["metrics"])
        if original["key"] in faces:
            names = {name for name in names if not name.startswith("count_")}
        assert set(mine["metrics"]) - {"acc_worst_named_region"} == names
        assert list(mine) == list(original) == ["key", "dataset", "metrics"]


def test_our_own_file_reads_back(make_report: Callable[..., Report], tmp_path: Path) -> None:
    report = make_report()
    write_eval_results(report, tmp_path / "ours.jsonl")
    found = read_eval_results(tmp_path / "ours.jsonl", load_suite("tiny"))
    assert (found.unknown, found.notes) == ((), ())
    for key, result in report.tasks.items():
        values = {name: metric.value for name, metric in result.metrics.items()}
        assert {n: m.value for n, m in found.tasks[key].metrics.items()} == values


@pytest.mark.parametrize(
    "name", ["vtab/caltech101", "wds/vtab/caltech101", "Caltech-101", "wds_vtab-caltech101_test"]
)
def test_a_task_is_known_by_every_name_in_use(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, json.dumps({"dataset": name, "metrics": {"acc1": 0.5}}))
    assert list(read_eval_results(path, SUITE).tasks) == ["vtab/caltech101"]


def test_what_is_not_taken_over_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        row("cifar10", acc1=0.5, main_metric=0.75, colour=0.1, count_x=3),
        row("lsun", acc1=0.5, loss=2.5),
        '{"metrics": {}}\n',
        '{"key": "one\u2028two", "metrics": {}}\n',
        row("vtab/pets", acc1=0.5),
    )
    found = read_eval_results(path, SUITE)
    assert found.unknown == ("lsun", "a line without a name", "one\u2028two")
    assert found.notes == (
        "cifar10: main_metric is 0.75, its acc1 0.5; the latter counts",
        "cifar10: unknown metrics left out: colour",
        "vtab/pets has no mean_per_class_recall, which is its main metric",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"jsonl:1 is not JSON"),
        ("[1]", r"jsonl:1: expected key, dataset and metrics, got '\[1\]'"),
        ('{"key": "cifar10"}', "expected key, dataset and metrics"),
        (row(acc1="high"), r"acc1 is 'high', expected a number"),
        (row(acc1=True), r"acc1 is True"),
        (row(acc1=55.2), r"jsonl:1: acc1 is 55\.2, expected 0 to 1"),
        (row(acc1=-0.1), "expected 0 to 1"),
        (row(acc1=float("inf")), r"jsonl:1: .*finite"),
        (row(acc1=10**400), r"jsonl:1: acc1 is 10+, expected a finite number"),
        (row(acc1=0.5)[:-3] + ', "acc1": 0.9}}', r"jsonl:1 is not JSON: a name is there twice"),
        (row(acc1=0.1) + row(acc1=0.2), r"jsonl:2: task 'cifar10' is there twice"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        read_eval_results(write(tmp_path, text), SUITE)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot read .*none\.jsonl"):
        read_eval_results(tmp_path / "none.jsonl", SUITE)
