"""`datacomp evaluate` from the command line; the encoder is a fake, the suite is the real one."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from datacomp.cli.evaluate import app
from datacomp.errors import UsageError
from datacomp.reports import check_report, load_suite, read_report


class Noise:
    """Every picture and every text is a random vector."""

    name = identity = "noise"

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.calls = 0

    def encode_image(self, images: Any) -> Any:
        self.calls += 1
        return self.rng.standard_normal((len(images), 16), np.float32)

    def encode_text(self, texts: Any) -> Any:
        return self.rng.standard_normal((len(texts), 16), np.float32)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch, tiny_suite: Path) -> Noise:
    """A run folder's encoder and record, without a run."""
    record = SimpleNamespace(
        scale="tiny",
        recipe_id="r",
        pool_id="p",
        pool_size=100,
        subset=SimpleNamespace(name="s", sha256="5" * 64, n=10, n_unique=10),
        checkpoint_sha256="c" * 64,
        seed=3,
        samples_seen=20480,
        platform={"python": "3"},
    )
    noise = Noise()
    monkeypatch.setenv("DATACOMP_CACHE", str(tiny_suite.parents[2]))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("datacomp.training.encoder.load_encoder", lambda *_: noise)
    monkeypatch.setattr("datacomp.training.run.read_run", lambda _: record)
    return noise


def call(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_a_run_becomes_a_report_and_a_table(encoder: Noise, tmp_path: Path) -> None:
    result = call(str(tmp_path))
    assert result.exit_code == 0
    path = tmp_path / "evaluation" / "tiny" / "report.json"
    report = read_report(path)
    assert check_report(report, load_suite("tiny")) == []
    assert report.run.seed == 3
    table = result.stdout.splitlines()
    assert max(map(len, (line for line in table if "report.json" not in line))) <= 80
    for task in load_suite("tiny").tasks:
        value = report.tasks[task.key].main.value
        assert any(task.name in line and f"{value:.4f}" in line for line in table)
    assert any("Average" in line and "10 of 10" in line for line in table)
    assert f"datacomp submit {path}" in result.stdout
    assert len((path.parent / "eval_results.jsonl").read_text().splitlines()) == 10


def test_the_same_command_again_does_nothing_again(encoder: Noise, tmp_path: Path) -> None:
    first = call(str(tmp_path)).stdout
    calls = encoder.calls
    assert call(str(tmp_path)).stdout == first
    assert encoder.calls == calls


def test_json_is_the_report(encoder: Noise, tmp_path: Path) -> None:
    result = call(str(tmp_path), "--json", "--output-dir", str(tmp_path / "out"))
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "report.json").read_text())


def test_single_tasks_leave_the_average_incomplete(encoder: Noise, tmp_path: Path) -> None:
    result = call(str(tmp_path), "--task", "flags", "--task", "things")
    assert result.exit_code == 0  # both worked, which is what was asked
    assert "not evaluated" in result.stdout
    assert "incomplete" in result.stdout
    assert "submit" not in result.stdout
    assert "No average" in result.stderr


def test_a_failed_task_is_named_and_the_exit_code_is_1(encoder: Noise, tmp_path: Path) -> None:
    result = call(str(tmp_path), "--data-dir", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "flags failed: there is no evaluation set at" in result.stderr


def test_an_unscored_task_that_failed_costs_the_exit_code(
    encoder: Noise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = load_suite("tiny")
    first, *others = suite.tasks
    unscored = first.model_copy(update={"scored": False, "dataset": "nowhere"})
    changed = suite.model_copy(update={"tasks": (unscored, *others)})
    for module in ("evaluation.run", "reports", "reports.files", "cli.evaluate_table"):
        monkeypatch.setattr(f"datacomp.{module}.load_suite", lambda _: changed)
    result = call(str(tmp_path))
    assert result.exit_code == 1
    assert f"{first.key} failed" in result.stderr
    assert "No average" not in result.stderr


def test_a_device_that_is_not_there_is_refused(encoder: Noise, tmp_path: Path) -> None:
    result = call(str(tmp_path), "--device", "nonsense")
    assert isinstance(result.exception, UsageError)
    assert "--device nonsense cannot be used here" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "tny"), "Did you mean 'tiny'"),
        (("--task", "flag"), "Did you mean 'flags'"),
    ],
)
def test_an_unknown_name_is_refused(
    encoder: Noise, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = call(str(tmp_path), *arguments)
    assert message in str(result.exception)
    assert encoder.calls == 0


def test_of_many_processes_one_prints(
    encoder: Noise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    result = call(str(tmp_path), "--task", "flags")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "evaluation" / "tiny" / "report.json").exists()
    monkeypatch.setenv("RANK", "0")
    assert "Average" in call(str(tmp_path), "--task", "flags").stdout
    assert encoder.calls == 1


def test_suites_and_reports_of_a_run_share_its_features(encoder: Noise, tmp_path: Path) -> None:
    call(str(tmp_path), "--task", "flags")
    assert list((tmp_path / "evaluation" / "features").glob("*/images/*.npz"))
    call(str(tmp_path), "--task", "flags", "--output-dir", str(tmp_path / "out"))
    assert (tmp_path / "out" / "features").is_dir()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    from datacomp.errors import TrainingError

    result = call(str(tmp_path))
    assert isinstance(result.exception, TrainingError)
