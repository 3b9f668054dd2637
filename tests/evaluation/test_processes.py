"""Processes that evaluate into one folder: work shared, any of them killed, one report."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datacomp.evaluation import claims, runner
from datacomp.evaluation.claims import claim
from datacomp.evaluation.runner import evaluate
from datacomp.reports import Report, Suite, TaskSpec
from support.processes import BOUND_SECONDS

SCRIPT = Path(__file__).with_name("evaluating.py")
N_CLASSES, LENGTHS = 6, {"short": 10, "long": 45, "middle": 25}
N_PICTURES = sum(LENGTHS.values())


def task(key: str) -> TaskSpec:
    return TaskSpec(
        key=key,
        name=key,
        kind="classification",
        dataset=f"wds_{key}_test",
        n=LENGTHS[key],
        n_classes=N_CLASSES,
        main_metric="acc1",
        scored=True,
        version=1,
        measures="",
        source="",
        licence="",
    )


SUITE = Suite(name="tiny", title="", groups=(), tasks=tuple(map(task, LENGTHS)))


@pytest.fixture
def data(tmp_path: Path, fakes: SimpleNamespace) -> Path:
    """Three sets of two tars each that share no picture."""
    files = {
        "classnames.txt": "\n".join("x" * (i + 1) for i in range(N_CLASSES)),
        "zeroshot_classification_templates.txt": "a {c}\nsome {c}\n",
    }
    first = 0
    for key, n in LENGTHS.items():
        samples = [
            {"png": fakes.png(fakes.picture(first + i)), "cls": str(i % N_CLASSES).encode()}
            for i in range(n)
        ]
        first += n
        fakes.write_set(tmp_path / "data" / f"wds_{key}_test", samples, files=files, shards=2)
    (tmp_path / "data" / "suite.json").write_text(SUITE.model_dump_json())
    return tmp_path / "data"


class Started:
    """Starts processes that evaluate into a folder, and ends those that still run."""

    def __init__(self, data: Path) -> None:
        self.data, self.processes = data, []

    def __call__(self, out: Path, *events: int) -> list[subprocess.Popen[str]]:
        new = [
            subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.data), str(out), str(event)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for event in events
        ]
        self.processes += new
        return new


@pytest.fixture
def start(data: Path) -> Iterator[Started]:
    started = Started(data)
    yield started
    for process in started.processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(data: Path, tmp_path: Path, fakes: SimpleNamespace, make_report: Any) -> Any:
    """Evaluates here, into `out`; `run.encoder` is always the same."""

    class Run:
        encoder = fakes.FakeEncoder()

        def __call__(self, **options: Any) -> Report:
            provenance = make_report().provenance
            return evaluate(self.encoder, SUITE, data, tmp_path / "out", provenance, **options)

    return Run()


def finished(processes: list[subprocess.Popen[str]]) -> list[int]:
    """How many pictures each encoded; all must have ended well."""
    said = [process.communicate(timeout=BOUND_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    assert all(not err for _, err in said)
    return [int(out) for out, _ in said]


def content(out: Path) -> Any:
    """All that a report and its neighbours say, but for the clock."""
    report = json.loads((out / "report.json").read_text())
    del report["created"]
    for result in report["tasks"].values():
        del result["seconds"]
    outcomes = {path.name: path.read_bytes() for path in (out / "outcomes").glob("*.npz")}
    features = {
        path.relative_to(out): path.read_bytes() for path in (out / "features").rglob("*.npz")
    }
    return report, outcomes, features, (out / "eval_results.jsonl").read_bytes()


def test_two_processes_share_the_work_and_write_one_report(start: Started, tmp_path: Path) -> None:
    assert finished(start(tmp_path / "alone", 0)) == [N_PICTURES]
    both = start(tmp_path / "both", 0, 0)
    assert sum(finished(both)) == N_PICTURES
    assert content(tmp_path / "both") == content(tmp_path / "alone")
    assert not list((tmp_path / "both").rglob("*.lock"))


def test_killed_at_any_moment_the_evaluation_goes_on(start: Started, tmp_path: Path) -> None:
    assert finished(start(tmp_path / "alone", 0)) == [N_PICTURES]
    out, rng, n_killed = tmp_path / "killed", random.Random(0), 0
    for _ in range(3):
        processes = start(out, rng.randrange(1, 16), rng.randrange(1, 16))
        for process in processes:
            process.communicate(timeout=BOUND_SECONDS)
            assert process.returncode in (0, -9)
            n_killed += process.returncode == -9
    assert n_killed > 2
    assert sum(finished(start(out, 0, 0))) < N_PICTURES
    assert content(out) == content(tmp_path / "alone")


def test_who_has_no_task_left_computes_features_of_others_tasks(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test holds the longest task until the runner sleeps, as a slow process would."""
    encoded = []
    with ExitStack() as held:
        held.enter_context(claim(tmp_path / "out" / "tasks" / "long.lock"))

        def sleep(_: float) -> None:
            encoded.append(run.encoder.n_images)
            held.close()

        monkeypatch.setattr(claims.time, "sleep", sleep)
        assert run().aggregates.complete
    assert encoded == [N_PICTURES]
    assert run.encoder.n_images == N_PICTURES


def test_the_longest_task_is_first(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []

    def evaluated(spec: TaskSpec, *rest: Any, original: Any = runner.evaluate_task) -> Any:
        order.append(spec.key)
        return original(spec, *rest)

    monkeypatch.setattr(runner, "evaluate_task", evaluated)
    assert list(run().tasks) == list(LENGTHS)
    assert order == ["long", "middle", "short"]


def test_what_another_process_could_do_is_not_reported_as_failed(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest task comes first and fails; while the last is done, another process has it."""

    def evaluated(spec: TaskSpec, *rest: Any, original: Any = runner.evaluate_task) -> Any:
        if spec.key == "long":
            raise MemoryError
        if spec.key == "short":
            with monkeypatch.context() as patch:
                patch.setattr(runner, "evaluate_task", original)
                assert not run(tasks=["long"]).aggregates.complete
        return original(spec, *rest)

    monkeypatch.setattr(runner, "evaluate_task", evaluated)
    assert run().aggregates.complete


def test_damaged_features_are_counted(
    run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = run()
    shutil.rmtree(tmp_path / "out" / "tasks")
    path = min((tmp_path / "out" / "features").glob("*/images/*.npz"))
    path.write_bytes(path.read_bytes()[:-1])
    assert {key: task.metrics for key, task in run().tasks.items()} == {
        key: task.metrics for key, task in first.tasks.items()
    }
    assert "computed again: 1" in caplog.text
