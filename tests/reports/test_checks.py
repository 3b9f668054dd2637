"""Each check finds exactly the lie planted for it. Not here: the schema (test_files)."""

from collections.abc import Callable
from typing import Any

import pytest

from datacomp.reports import (
    Metric,
    Report,
    TaskResult,
    check_report,
    check_submittable,
    load_suite,
)

MakeReport = Callable[..., Report]
SUITE = load_suite("tiny")


def codes(report: Report) -> list[str]:
    return [finding.code for finding in check_report(report, SUITE)]


def with_task(make: MakeReport, key: str, **fields: Any) -> Report:
    result = make().tasks[key]
    return make(tasks={key: result.model_copy(update=fields)})


def with_metric(make: MakeReport, key: str, name: str, **fields: Any) -> Report:
    metrics = make().tasks[key].metrics
    changed = metrics[name].model_copy(update=fields)
    return with_task(make, key, metrics={**metrics, name: changed})


def with_average(make: MakeReport, **fields: Any) -> Report:
    report = make()
    average = report.aggregates.average.model_copy(update=fields)
    aggregates = report.aggregates.model_copy(update={"average": average})
    return report.model_copy(update={"aggregates": aggregates})


def test_an_honest_report_has_no_findings(make_report: MakeReport) -> None:
    assert codes(make_report()) == []
    assert codes(make_report(level=0.0)) == []
    assert codes(make_report(level=1.0)) == []


def test_another_suite(make_report: MakeReport) -> None:
    report = make_report()
    other = report.suite.model_copy(update={"sha256": "0" * 64})
    assert codes(report.model_copy(update={"suite": other})) == ["E101"]


def test_a_missing_task(make_report: MakeReport) -> None:
    report = make_report()
    tasks = {key: task for key, task in report.tasks.items() if key != "names"}
    findings = check_report(report.model_copy(update={"tasks": tasks}), SUITE)
    assert {f.code for f in findings} == {"E201", "E401", "E402", "E403"}
    assert findings[0].task == "names"
    assert "--task names" in findings[0].message


def test_a_missing_task_with_honest_aggregates_is_still_missing(make_report: MakeReport) -> None:
    failed = TaskResult(
        status="failed",
        error="disk full",
        version=1,
        n=SUITE["names"].n,
        main_metric="acc1",
        metrics={},
        dataset_sha256=None,
        seconds=0.0,
    )
    report = make_report(tasks={"names": failed})
    assert report.aggregates.average.value is None
    assert not report.aggregates.complete
    assert codes(report) == ["E203"]


def test_an_unknown_task(make_report: MakeReport) -> None:
    report = make_report(tasks={"mine": make_report().tasks["names"]})
    assert codes(report) == ["E202"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"version": 99}, "E204"),
        ({"n": 7}, "E205"),
        ({"main_metric": "acc5"}, "E206"),
        ({"dataset_sha256": None}, "E209"),
    ],
)
def test_a_task_that_is_not_the_suites(
    make_report: MakeReport, fields: dict[str, Any], code: str
) -> None:
    assert codes(with_task(make_report, "names", **fields)) == [code]


def test_a_missing_metric(make_report: MakeReport) -> None:
    metrics = dict(make_report().tasks["names"].metrics)
    del metrics["acc5"]
    assert codes(with_task(make_report, "names", metrics=metrics)) == ["E207"]


def test_an_unknown_metric(make_report: MakeReport) -> None:
    metrics = {**make_report().tasks["names"].metrics, "fame": Metric(value=1.0)}
    assert codes(with_task(make_report, "names", metrics=metrics)) == ["E208"]


def test_a_value_outside_0_to_1(make_report: MakeReport) -> None:
    report = with_metric(make_report, "names", "mean_per_class_recall", value=1.2)
    assert codes(report) == ["E301"]
    report = with_metric(make_report, "names", "mean_per_class_recall", value=-0.1)
    assert codes(report) == ["E301"]


def test_an_accuracy_that_is_no_whole_number_of_pictures(make_report: MakeReport) -> None:
    n = SUITE["names"].n
    value = 100.4 / n
    stderr = (value * (1 - value) / n) ** 0.5
    report = with_metric(make_report, "names", "acc1", value=value, stderr=stderr)
    assert codes(report) == ["E302"]
    assert f"nearest is 100/{n:,}" in check_report(report, SUITE)[0].message


def test_an_accuracy_of_fewer_pictures(make_report: MakeReport) -> None:
    report = with_metric(make_report, "names", "acc1", n=10)
    assert codes(report) == ["E302"]


def test_a_float32_mean_is_no_lie(make_report: MakeReport) -> None:
    import numpy as np

    metric = make_report().tasks["names"].metrics["acc1"]
    rounded = float(np.float32(metric.value))
    assert codes(with_metric(make_report, "names", "acc1", value=rounded)) == []


def test_top_5_below_top_1(make_report: MakeReport) -> None:
    report = with_metric(make_report, "names", "acc5", value=0.0, stderr=0.0)
    assert codes(report) == ["E303"]


def test_recall_at_10_below_recall_at_5(make_report: MakeReport) -> None:
    name = "image_retrieval_recall@10"
    assert codes(with_metric(make_report, "retrieval", name, value=0.0)) == ["E303"]


def test_a_worst_group_that_is_not_the_worst(make_report: MakeReport) -> None:
    report = with_metric(make_report, "artists", "acc_top5_wg", value=1.0)
    assert codes(report) == ["E304"]


@pytest.mark.parametrize(("group", "expected"), [(0, []), (1, ["E304"])])
def test_a_worst_among_the_first_groups(
    make_report: MakeReport, group: int, expected: list[str]
) -> None:
    spec = SUITE["artists"]
    grouping = spec.groupings[0].model_copy(update={"worst_of_first": {"acc_first": 1}})
    changed = spec.model_copy(update={"groupings": (grouping,)})
    tasks = tuple(changed if task.key == "artists" else task for task in SUITE.tasks)
    suite = SUITE.model_copy(update={"tasks": tasks})
    metrics = dict(make_report().tasks["artists"].metrics)
    for place, value in enumerate((0.5, 0.25)):
        name = grouping.each[place]
        metrics[name] = metrics[name].model_copy(update={"value": value})
    metrics["acc_first"] = metrics[grouping.each[group]]
    metrics[grouping.worst] = metrics[grouping.worst].model_copy(update={"value": 0.25})
    found = check_report(with_task(make_report, "artists", metrics=metrics), suite)
    assert [f.code for f in found if f.code == "E304"] == expected


def test_groups_that_do_not_hold_all_pictures(make_report: MakeReport) -> None:
    metric = make_report().tasks["artists"].metrics["acc_top5_artist:1"]
    report = with_metric(make_report, "artists", "acc_top5_artist:1", n=2 * metric.n)
    assert codes(report) == ["E309"]


def test_groups_that_do_not_make_the_mean(make_report: MakeReport) -> None:
    metrics = make_report().tasks["artists"].metrics
    perfect = {
        name: metric.model_copy(update={"value": 1.0, "stderr": 0.0})
        for name, metric in metrics.items()
        if name.startswith("acc_top5_artist") or name == "acc_top5_wg"
    }
    assert codes(with_task(make_report, "artists", metrics=metrics | perfect)) == ["E309"]


def test_an_impossible_stderr(make_report: MakeReport) -> None:
    assert codes(with_metric(make_report, "names", "acc1", stderr=0.0)) == ["E305"]
    name = "mean_per_class_recall"
    assert codes(with_metric(make_report, "names", name, stderr=0.7)) == ["E305"]
    assert codes(with_metric(make_report, "names", name, stderr=-0.1)) == ["E305"]


def test_a_main_metric_without_stderr(make_report: MakeReport) -> None:
    assert codes(with_metric(make_report, "names", "acc1", stderr=None)) == ["E305"]


def test_another_chance_level(make_report: MakeReport) -> None:
    assert codes(with_metric(make_report, "names", "acc1", chance=0.5)) == ["E306"]


def test_a_mean_recall_that_is_not_the_mean(make_report: MakeReport) -> None:
    assert codes(with_metric(make_report, "retrieval", "mean_recall@1", value=0.9)) == ["E307"]


def test_a_main_metric_without_value(make_report: MakeReport) -> None:
    report = with_metric(make_report, "names", "acc1", value=None, stderr=None)
    assert codes(report) == ["E308"]
    assert report.aggregates.average.value is None


@pytest.mark.parametrize("field", ["value", "stderr", "chance"])
def test_an_average_that_does_not_recompute(make_report: MakeReport, field: str) -> None:
    report = with_average(make_report, **{field: 0.99})
    assert codes(report) == ["E401"]
    assert f"average {field} is 0.99, the tasks give" in check_report(report, SUITE)[0].message


def test_a_wrong_task_count(make_report: MakeReport) -> None:
    assert codes(with_average(make_report, n_tasks=38)) == ["E401"]


def test_a_group_that_does_not_recompute(make_report: MakeReport) -> None:
    report = make_report()
    group = report.aggregates.groups["Retrieval"].model_copy(update={"value": 0.9})
    for groups in ({**report.aggregates.groups, "Retrieval": group}, {}):
        aggregates = report.aggregates.model_copy(update={"groups": groups})
        assert set(codes(report.model_copy(update={"aggregates": aggregates}))) == {"E402"}


def test_a_group_that_nobody_knows(make_report: MakeReport) -> None:
    report = make_report()
    groups = report.aggregates.groups
    more = {**groups, "Mine": groups["Retrieval"]}
    aggregates = report.aggregates.model_copy(update={"groups": more})
    assert set(codes(report.model_copy(update={"aggregates": aggregates}))) == {"E402"}


def test_a_false_claim_of_completeness(make_report: MakeReport) -> None:
    report = make_report()
    aggregates = report.aggregates.model_copy(update={"complete": False})
    assert codes(report.model_copy(update={"aggregates": aggregates})) == ["E403"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"pool_size": 0, "subset": {"n_unique": 0}}, "E501"),
        ({"samples_seen": 0}, "E501"),
        ({"subset": {"n": 10, "n_unique": 11}}, "E502"),
        ({"pool_size": 100, "subset": {"n": 300, "n_unique": 200}}, "E503"),
    ],
)
def test_impossible_provenance(make_report: MakeReport, fields: dict[str, Any], code: str) -> None:
    assert set(codes(make_report(**fields))) == {code}


def test_a_model_without_a_run_is_right_and_not_submittable(make_report: MakeReport) -> None:
    report = make_report(model={})
    assert codes(report) == []
    assert [finding.code for finding in check_submittable(report)] == ["E504"]
    assert check_submittable(make_report()) == []


def test_every_lie_is_listed(make_report: MakeReport) -> None:
    report = with_task(make_report, "names", version=99, n=7, dataset_sha256=None)
    assert codes(report) == ["E204", "E205", "E209"]
