"""Agreement of two reports: what is within reach of flipped answers, and of other seeds."""

import pytest

from datacomp.reports import aggregate, load_suite
from datacomp_server.verification.comparison import (
    TRAINING_SD,
    compare_same_weights,
    compare_trainings,
)
from datacomp_server.verification.vectors import vector_sha256

SUITE = load_suite("tiny")
TASK = next(spec for spec in SUITE.scored if spec.main_metric == "acc1")


def with_main(report, hits, n):
    """The report with `hits` of `n` as the value of the first accuracy task."""
    result = report.tasks[TASK.key]
    metric = result.metrics["acc1"].model_copy(update={"value": hits / n})
    metrics = {**result.metrics, "acc1": metric}
    tasks = {**report.tasks, TASK.key: result.model_copy(update={"metrics": metrics})}
    return report.model_copy(update={"tasks": tasks, "aggregates": aggregate(SUITE, tasks)})


def test_the_same_numbers_agree(make_report):
    comparison = compare_same_weights(make_report(), make_report(), SUITE)

    assert comparison.agrees
    assert comparison.largest == 0
    assert comparison.n_compared == len(SUITE.scored)


def test_two_flipped_answers_agree_and_many_do_not(make_report):
    report, n = make_report(), TASK.n
    hits = round(report.tasks[TASK.key].main.value * n)

    assert compare_same_weights(with_main(report, hits + 2, n), report, SUITE).agrees
    (beyond,) = compare_same_weights(with_main(report, hits + 20, n), report, SUITE).beyond
    assert beyond.task == TASK.key
    assert beyond.reported == (hits + 20) / n
    assert 2 / n < beyond.allowed < 10 / n


def test_lower_numbers_than_measured_differ_too(make_report):
    report, n = make_report(), TASK.n
    hits = round(report.tasks[TASK.key].main.value * n)

    assert not compare_same_weights(with_main(report, hits - 20, n), report, SUITE).agrees


def test_a_task_without_a_number_differs(make_report):
    report = make_report()
    failed = report.tasks[TASK.key].model_copy(
        update={"status": "failed", "error": "x", "metrics": {}}
    )
    without = report.model_copy(update={"tasks": {**report.tasks, TASK.key: failed}})

    (beyond,) = compare_same_weights(report, without, SUITE).beyond
    assert (beyond.task, beyond.measured) == (TASK.key, None)


def test_another_training_may_differ_by_its_noise(make_report):
    report = make_report(level=0.30)

    assert compare_trainings(report, make_report(level=0.32)).agrees
    assert compare_trainings(make_report(level=0.32), report).agrees


def test_another_training_may_not_differ_by_far_more(make_report):
    comparison = compare_trainings(make_report(level=0.5), make_report(level=0.3))

    (beyond,) = comparison.beyond
    assert beyond.task is None
    assert beyond.allowed > 4 * TRAINING_SD
    assert comparison.largest > 1


@pytest.mark.parametrize("digits", [1e-7, 4e-7])
def test_vectors_are_of_six_digits(make_report, digits):
    report = make_report()
    value = report.tasks[TASK.key].main.value

    assert vector_sha256(with_main(report, value + digits, 1), SUITE) == vector_sha256(
        report, SUITE
    )
    assert vector_sha256(with_main(report, value + 1e-5, 1), SUITE) != vector_sha256(report, SUITE)
    assert vector_sha256(make_report(seed=5), SUITE) == vector_sha256(report, SUITE)
