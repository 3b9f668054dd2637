"""Comparing two evaluations: what is paired, what is not, and what is refused."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datacomp.errors import EvaluationError, ReportError, UsageError
from datacomp.evaluation.compare import Comparison, compare
from datacomp.evaluation.outcomes import metrics_of, outcomes_path, read_outcomes, write_outcomes
from datacomp.evaluation.results import find_report, open_pair, open_results
from datacomp.evaluation.standing import standing, unfloored
from datacomp.reports import (
    Report,
    TaskResult,
    TaskSpec,
    load_suite,
    read_report,
    write_eval_results,
    write_report,
)

MakeReport = Callable[..., Report]
SUITE = load_suite("tiny")


def answers(spec: TaskSpec, seed: int, skill: float) -> dict[str, Any]:
    """Outcomes of a model on a task's pictures, which are the same for every seed."""
    facts, rng = np.random.default_rng(0), np.random.default_rng(seed)
    if spec.kind == "retrieval":
        owners = np.repeat(np.arange(spec.n), facts.integers(1, 4, spec.n))
        ranks = {"text_ranks": len(owners), "image_ranks": spec.n}
        hits = {name: (rng.random(n) > skill).astype(int) for name, n in ranks.items()}
        return {**hits, "image_of_text": owners}
    if spec.kind == "association":
        picks = np.full(spec.n, 3)
        shown = {"candidates": facts.choice([10, 12], spec.n), "picks": picks}
        return {"scores": rng.binomial(3, skill, spec.n) / 3, **shown}
    classes = spec.n_classes or 0
    targets = facts.integers(0, classes, spec.n)
    metadata = facts.integers(0, 2, (spec.n, len(spec.metadata)))
    predicted = np.where(rng.random(spec.n) < skill, targets, rng.integers(0, classes, spec.n))
    ranks = np.where(predicted == targets, 0, rng.integers(1, classes, spec.n))
    return {"ranks": ranks, "predicted": predicted, "targets": targets, "metadata": metadata}


def write_evaluation(folder: Path, make_report: MakeReport, seed: int, skill: float) -> Path:
    """A report and its outcomes, as the runner writes them."""
    tasks = {}
    for spec in SUITE.tasks:
        found = answers(spec, seed, skill)
        write_outcomes(outcomes_path(folder, spec.key), found)
        tasks[spec.key] = TaskResult(
            status="ok",
            version=spec.version,
            n=spec.n,
            main_metric=spec.main_metric,
            metrics=metrics_of(spec, found),
            dataset_sha256="d" * 64,
            seconds=1.0,
        )
    write_report(make_report(tasks=tasks, seed=seed), folder / "report.json")
    return folder


@pytest.fixture(scope="module")
def written(make_report: MakeReport, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("written")
    return [write_evaluation(folder / str(i), make_report, i, 0.3 + 0.05 * i) for i in (0, 1)]


@pytest.fixture
def pair(written: list[Path], tmp_path: Path) -> list[Path]:
    """Copies, to be changed."""
    return [Path(shutil.copytree(one, tmp_path / one.name)) for one in written]


def compared(pair: list[Path]) -> Comparison:
    return compare(*open_pair(pair[0], pair[1]))


def change(folder: Path, **tasks: TaskResult) -> None:
    """Replace task results in a report; None removes one."""
    report = read_report(folder / "report.json")
    results = {**report.tasks, **tasks}
    kept = {key: one for key, one in results.items() if one is not None}
    write_report(report.model_copy(update={"tasks": kept}), folder / "report.json")


def test_differences_are_b_less_a_and_paired(written: list[Path]) -> None:
    found = compared(written)
    before, after = (read_report(one / "report.json") for one in written)
    assert list(found.tasks) == [spec.key for spec in SUITE.scored]
    for key, one in found.tasks.items():
        assert one.paired
        assert one.value == pytest.approx(
            after.tasks[key].main.value - before.tasks[key].main.value
        )
        assert one.spread.interval[0] <= one.value <= one.spread.interval[1]
    assert found.average.a == pytest.approx(before.aggregates.average.value)
    assert found.average.b == pytest.approx(after.aggregates.average.value)
    assert found.left_out == {}


def test_the_average_takes_tasks_as_independent(written: list[Path]) -> None:
    found = compared(written)
    errors = [one.spread.stderr for one in found.tasks.values()]
    expected = math.sqrt(sum(se * se for se in errors)) / len(errors)
    assert found.average.paired
    assert found.average.spread.stderr == pytest.approx(expected, rel=0.1)
    assert found.average.verdict == "higher"
    assert set(found.groups) == set(SUITE.groups)


def test_again_gives_the_same(written: list[Path]) -> None:
    assert compared(written).tasks == compared(written).tasks


def test_the_other_way_round_is_the_opposite(written: list[Path]) -> None:
    one, other = compared(written).average, compared(written[::-1]).average
    assert other.value == pytest.approx(-one.value)
    assert other.spread.stderr == pytest.approx(one.spread.stderr, rel=0.1)
    assert other.verdict == "lower"


def test_without_outcomes_the_standard_errors_are_independent(pair: list[Path]) -> None:
    outcomes_path(pair[0], "names").unlink()
    found = compared(pair)
    sides = [read_report(one / "report.json").tasks["names"].main.stderr for one in pair]
    names = found.tasks["names"]
    assert not names.paired
    assert names.spread.stderr == pytest.approx(math.hypot(*sides))
    half = 1.959964 * names.spread.stderr
    assert names.spread.interval == pytest.approx((names.value - half, names.value + half))
    assert found.tasks["flags"].paired
    assert not found.average.paired
    errors = [one.spread.stderr for one in found.tasks.values()]
    assert found.average.spread.stderr == pytest.approx(math.hypot(*errors) / len(errors))


def test_other_data_are_refused_by_name(pair: list[Path]) -> None:
    other = read_report(pair[1] / "report.json").tasks["flags"]
    change(pair[1], flags=other.model_copy(update={"dataset_sha256": "e" * 64}))
    with pytest.raises(EvaluationError, match="different data in flags;"):
        compared(pair)


def test_outcomes_of_another_evaluation_are_refused(pair: list[Path]) -> None:
    spec = SUITE["groups"]
    write_outcomes(outcomes_path(pair[1], "groups"), answers(spec, 9, 0.9))
    with pytest.raises(EvaluationError, match=r"groups\.npz gives acc1 .* different evaluations"):
        compared(pair)


def test_outcomes_of_other_pictures_are_refused(pair: list[Path]) -> None:
    path = outcomes_path(pair[1], "names")
    found = read_outcomes(path)
    write_outcomes(path, {**found, "targets": found["targets"][::-1]})
    with pytest.raises(EvaluationError, match=r"'names'.* different targets"):
        compared(pair)


@pytest.mark.parametrize(
    "arrays",
    [
        {"scores": np.ones(3)},
        {"ranks": np.array(["a", "b"])},
        {"ranks": np.zeros((200, 1), np.int64)},
    ],
)
def test_arrays_of_another_kind_are_refused(pair: list[Path], arrays: Any) -> None:
    write_outcomes(outcomes_path(pair[1], "names"), arrays)
    with pytest.raises(EvaluationError, match="are not outcomes of 'names'"):
        compared(pair)


def test_a_task_that_one_lacks_empties_its_means(pair: list[Path]) -> None:
    change(pair[0], names=None)  # type: ignore[arg-type]
    found = compared(pair)
    assert "names" not in found.tasks
    assert "no acc1 in" in found.left_out["names"]
    assert found.average is None
    assert found.groups["Naming"] is None
    assert found.groups["Retrieval"] is not None


def test_other_suites_are_refused(make_report: MakeReport, pair: list[Path]) -> None:
    write_report(make_report("datacomp38"), pair[1] / "report.json")
    with pytest.raises(EvaluationError, match=r"suite 'tiny'.*'datacomp38'"):
        compared(pair)


def test_another_version_of_the_suite_names_what_changed(pair: list[Path]) -> None:
    report = read_report(pair[1] / "report.json")
    suite = report.suite.model_copy(update={"sha256": "0" * 64})
    old = report.tasks["colours"].model_copy(update={"version": 1})
    tasks = {**report.tasks, "colours": old}
    changed = report.model_copy(update={"suite": suite, "tasks": tasks})
    write_report(changed, pair[1] / "report.json")
    with pytest.raises(EvaluationError, match=r"another version of .* \(changed: colours\)"):
        compared(pair)


def test_an_imported_file_is_one_side(pair: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "eval_results.jsonl"
    write_eval_results(read_report(pair[1] / "report.json"), path)
    for sides in ([pair[0], path], [path, pair[0]]):
        found = compared(sides)
        assert not any(one.paired for one in found.tasks.values())
        assert found.tasks["names"].spread is not None
        assert found.tasks["wild"].spread is None
        assert found.tasks["wild"].verdict is None
        assert found.average.spread is None
    assert found.average.a == pytest.approx(
        read_report(pair[1] / "report.json").aggregates.average.value
    )


def test_a_report_is_found_in_a_run(written: list[Path], tmp_path: Path) -> None:
    report = written[0] / "report.json"
    assert find_report(report) == report
    assert find_report(written[0]) == report
    run = tmp_path / "run"
    for suite in ("tiny", "datacomp38"):
        shutil.copytree(written[0], run / "evaluation" / suite)
    assert find_report(run, "tiny") == run / "evaluation" / "tiny" / "report.json"
    with pytest.raises(UsageError, match="2 suites"):
        find_report(run)
    with pytest.raises(ReportError, match="Run: datacomp evaluate"):
        find_report(tmp_path)


def test_a_standing_has_every_task_once_by_group(written: list[Path]) -> None:
    results = open_results(written[0])
    *groups, average = standing(results)
    assert [block.name for block in groups] == list(SUITE.groups)
    keys = [line.key for block in groups for line in block.tasks]
    assert sorted(keys) == sorted(spec.key for spec in SUITE.tasks)
    assert average.mean.value == results.aggregates.average.value
    assert average.mean.floor.noise == pytest.approx(0.0038, abs=5e-5)
    assert unfloored(SUITE, (*groups, average)) == ()
