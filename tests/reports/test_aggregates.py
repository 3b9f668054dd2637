"""Means over tasks, worked out by hand on a suite of four tasks."""

import math

import pytest

from datacomp.reports import Metric, Suite, TaskResult, TaskSpec, aggregate


def spec(key: str, *, scored: bool = True, group: str = "A", chance: float = 0.5) -> TaskSpec:
    return TaskSpec(
        key=key,
        name=key,
        kind="classification",
        dataset=key,
        n=100,
        n_classes=2,
        main_metric="acc1",
        scored=scored,
        groups=(group,),
        chance={"acc1": chance},
        version=1,
        measures="",
        source="",
        licence="",
    )


def result(value: float | None, stderr: float | None = 0.03, status: str = "ok") -> TaskResult:
    return TaskResult(
        status=status,
        version=1,
        n=100,
        main_metric="acc1",
        metrics={"acc1": Metric(value=value, stderr=stderr)},
        dataset_sha256="d" * 64,
        seconds=0.0,
    )


SUITE = Suite(
    name="four",
    title="",
    groups=("A", "B"),
    tasks=(
        spec("a1"),
        spec("a2", chance=0.1),
        spec("b", group="B", chance=0.0),
        spec("unscored", scored=False, group="B"),
    ),
)
FULL = {"a1": result(0.2), "a2": result(0.4), "b": result(0.9, 0.04), "unscored": result(1.0)}


def test_the_average_is_the_plain_mean_of_scored_tasks() -> None:
    average = aggregate(SUITE, FULL).average
    assert average.value == pytest.approx(0.5)
    assert average.chance == pytest.approx(0.2)
    assert average.n_tasks == 3
    # sqrt(0.03^2 + 0.03^2 + 0.04^2) / 3
    assert average.stderr == pytest.approx(math.sqrt(0.0034) / 3)


def test_groups_are_means_of_their_scored_tasks() -> None:
    aggregates = aggregate(SUITE, FULL)
    assert aggregates.groups["A"].value == pytest.approx(0.3)
    assert aggregates.groups["B"].value == pytest.approx(0.9)
    assert aggregates.groups["B"].n_tasks == 1
    assert aggregates.complete


def test_an_unscored_task_is_never_needed() -> None:
    assert aggregate(SUITE, {k: v for k, v in FULL.items() if k != "unscored"}).complete


@pytest.mark.parametrize(
    "tasks",
    [
        {k: v for k, v in FULL.items() if k != "a1"},
        {**FULL, "a1": result(0.2, status="failed")},
        {**FULL, "a1": result(None)},
    ],
    ids=["missing", "failed", "undefined"],
)
def test_a_task_that_is_not_there_empties_its_means(tasks: dict[str, TaskResult]) -> None:
    aggregates = aggregate(SUITE, tasks)
    assert not aggregates.complete
    assert aggregates.average.value is None
    assert aggregates.average.n_tasks == 2
    assert aggregates.groups["A"].value is None
    assert aggregates.groups["B"].value == pytest.approx(0.9)


def test_a_task_without_uncertainty_leaves_the_mean_without() -> None:
    average = aggregate(SUITE, {**FULL, "a1": result(0.2, None)}).average
    assert average.value == pytest.approx(0.5)
    assert average.stderr is None


def test_the_reports_own_choice_of_main_metric_does_not_count() -> None:
    lie = result(0.2).model_copy(
        update={"main_metric": "acc5", "metrics": {"acc5": Metric(value=1.0)}}
    )
    assert aggregate(SUITE, {**FULL, "a1": lie}).average.value is None
