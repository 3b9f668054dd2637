"""The runner: what it writes, what it reuses, what it never reuses, and how it fails."""

import json
from datetime import datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datacomp.errors import EvaluationError
from datacomp.evaluation.outcomes import metrics_of, outcomes_path, read_outcomes
from datacomp.evaluation.runner import evaluate
from datacomp.reports import (
    Report,
    RunProvenance,
    SubsetRef,
    Suite,
    TaskSpec,
    check_report,
    read_report,
)

NAMES = ("red", "blue", "green", "black", "white", "pink")


def make_task(key: str, **fields: Any) -> TaskSpec:
    given: dict[str, Any] = {
        "key": key,
        "name": key.title(),
        "kind": "classification",
        "dataset": f"wds_{key.replace('/', '-')}_test",
        "n": 30,
        "n_classes": 6,
        "main_metric": "acc1",
        "scored": True,
        "groups": ("G",),
        "chance": {"acc1": 1 / 6},
        "version": 1,
        "measures": "",
        "source": "",
        "licence": "",
    }
    return TaskSpec(**(given | fields))


def make_suite(*tasks: TaskSpec) -> Suite:
    return Suite(name="tiny", title="", groups=("G",), tasks=tasks)


SUITE = make_suite(make_task("one"), make_task("vtab/two"))


def provenance(checkpoint: str = "c") -> RunProvenance:
    return RunProvenance(
        scale="tiny",
        recipe_id="r",
        pool_id="p",
        pool_size=100,
        subset=SubsetRef(name="s", sha256="5" * 64, n=10, n_unique=10),
        checkpoint_sha256=checkpoint * 64,
        seed=0,
        samples_seen=1000,
        platform={"python": "3"},
    )


class Counting:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.done = 0

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done += n


@pytest.fixture
def data(tmp_path: Path, fakes: SimpleNamespace) -> Path:
    """Two sets of 30 pictures, of which the second shares ten with the first."""
    for first, spec in zip((0, 20), SUITE.tasks, strict=True):
        samples = [
            {"png": fakes.png(fakes.picture(first + i)), "cls": str(i % 6).encode()}
            for i in range(30)
        ]
        files = {
            "classnames.txt": "\n".join(NAMES),
            "zeroshot_classification_templates.txt": "a {c}\n",
        }
        fakes.write_set(tmp_path / "data" / spec.dataset, samples, files=files)
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, tmp_path: Path, fakes: SimpleNamespace) -> Any:
    """Call the runner, each time without features; returns report, encoder and progress."""
    folders = (tmp_path / f"features{i}" for i in count())

    def call(suite: Suite = SUITE, checkpoint: str = "c", **options: Any) -> Any:
        encoder, progress = fakes.FakeEncoder(identity=checkpoint * 64), Counting()
        out = tmp_path / "out"
        options = {"features_dir": next(folders)} | options
        report = evaluate(encoder, suite, data, out, provenance(checkpoint), progress, **options)
        return SimpleNamespace(report=report, encoder=encoder, progress=progress, out=out)

    return call


def numbers(report: Report) -> Any:
    return {key: task.metrics for key, task in report.tasks.items()}


def test_a_run_writes_a_report_that_passes_its_checks(run: Any) -> None:
    result = run()
    assert check_report(result.report, SUITE) == []
    assert read_report(result.out / "report.json") == result.report
    assert result.report.aggregates.complete
    assert result.progress.done == 60


def test_equal_pictures_are_encoded_once(run: Any) -> None:
    encoder = run().encoder
    assert encoder.n_images == 50
    assert encoder.n_texts == 6


def test_a_finished_task_is_not_evaluated_again(run: Any) -> None:
    first, second = run(), run()
    assert second.encoder.n_images == 0
    assert numbers(second.report) == numbers(first.report)
    assert second.progress.done == 60


def test_a_second_run_changes_no_byte(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2099, 1, 1, tzinfo=tz)

    out = run().out
    before = (out / "report.json").read_bytes()
    monkeypatch.setattr("datacomp.evaluation.runner.datetime", Tomorrow)
    run()
    assert (out / "report.json").read_bytes() == before
    assert run(checkpoint="d").report.created.year == 2099


def test_an_interrupted_run_goes_on_with_the_next_task(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacomp.evaluation import runner

    original = runner.evaluate_task

    def interrupted(spec: TaskSpec, *rest: Any) -> Any:
        if spec.key == "vtab/two":
            raise KeyboardInterrupt
        return original(spec, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "evaluate_task", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run()
    result = run()
    assert result.encoder.n_images == 30
    assert result.report.aggregates.complete


def test_another_checkpoint_is_never_served_old_results(run: Any) -> None:
    run()
    assert run(checkpoint="d").encoder.n_images == 50


def test_other_data_are_never_served_old_results(run: Any, data: Path) -> None:
    run()
    (data / SUITE["one"].dataset / "classnames.txt").write_text("\n".join(reversed(NAMES)))
    result = run()
    assert result.encoder.n_images == 30


def test_a_new_task_version_is_never_served_old_results(run: Any) -> None:
    run()
    newer = make_suite(make_task("one", version=2), SUITE["vtab/two"])
    result = run(suite=newer)
    assert result.encoder.n_images == 30
    assert result.report.tasks["one"].version == 2


def test_a_damaged_result_file_is_ignored(run: Any) -> None:
    (result,) = (run().out / "tasks").glob("one.json")
    result.write_text(result.read_text()[:50])
    assert run().encoder.n_images == 30


def test_a_forged_result_file_of_another_run_is_ignored(run: Any) -> None:
    path = run().out / "tasks" / "one.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({**stored, "computed_from": "0" * 64}))
    assert run().encoder.n_images == 30


@pytest.mark.parametrize("damage", [None, b"others"], ids=["missing", "other"])
def test_a_result_without_its_outcomes_is_ignored(run: Any, damage: bytes | None) -> None:
    first = run()
    path = first.out / "outcomes" / "one.npz"
    whole = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage)
    second = run()
    assert second.encoder.n_images == 30
    assert path.read_bytes() == whole
    assert numbers(second.report) == numbers(first.report)


def test_metrics_form_again_from_the_stored_outcomes(run: Any) -> None:
    result = run()
    for spec in SUITE.tasks:
        stored = read_outcomes(outcomes_path(result.out, spec.key))
        assert metrics_of(spec, stored) == result.report.tasks[spec.key].metrics


def test_a_failed_task_is_recorded_and_never_averaged_away(run: Any, data: Path) -> None:
    tar = data / SUITE["one"].dataset / "test" / "0.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[: len(whole) // 2 + 100])
    report = run().report
    assert report.tasks["one"].status == "failed"
    assert "0.tar" in (report.tasks["one"].error or "")
    assert report.tasks["vtab/two"].status == "ok"
    assert not report.aggregates.complete
    assert report.aggregates.average.value is None
    assert [f.code for f in check_report(report, SUITE)] == ["E203"]
    tar.write_bytes(whole)
    assert run().report.aggregates.complete


def test_a_defect_in_one_task_does_not_cost_the_others(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacomp.evaluation import tasks

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(tasks, "EVALUATORS", {"classification": broken})
    report = run().report
    assert {task.error for task in report.tasks.values()} == {"ZeroDivisionError: by zero"}


def test_a_set_that_is_not_there_says_so(run: Any) -> None:
    report = run(suite=make_suite(make_task("three"))).report
    assert "no evaluation set at" in (report.tasks["three"].error or "")
    assert report.tasks["three"].dataset_sha256 is None


def test_single_tasks_join_what_stands(run: Any) -> None:
    first = run(tasks=["one"])
    assert list(first.report.tasks) == ["one"]
    assert not first.report.aggregates.complete
    assert first.progress.done == 30
    second = run(tasks=["vtab/two"])
    assert list(second.report.tasks) == ["one", "vtab/two"]
    assert second.report.aggregates.complete


def test_of_single_tasks_no_other_set_is_read(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from datacomp.evaluation import runner

    read = []

    def hashed(folder: Path, hash_tar: Any, original: Any = runner.dataset_sha256) -> str:
        read.append(folder.name)
        return str(original(folder, hash_tar))

    monkeypatch.setattr(runner, "dataset_sha256", hashed)
    assert run(tasks=["one", "one"]).progress.done == 30
    assert read == [SUITE["one"].dataset]


def test_a_report_that_cannot_be_written_is_told_in_a_line(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out" / "eval_results.jsonl").mkdir(parents=True)
    with pytest.raises(EvaluationError, match=r"cannot write the report into .*: Is a directory"):
        run()


def test_an_unknown_task_is_refused_before_any_work(run: Any) -> None:
    with pytest.raises(Exception, match="no task named 'ones'"):
        run(tasks=["ones"])


def test_importing_the_evaluation_loads_no_torch() -> None:
    import subprocess
    import sys

    code = "import datacomp.evaluation.run, datacomp.reports, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
