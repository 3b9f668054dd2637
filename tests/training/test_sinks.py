"""Sinks: each line goes to each once, whatever restarts; what fails is counted and stops nothing.

TensorBoard and wandb (offline) are the real ones. trackio cannot stand beside the Pillow that we
use: a double with the part of its interface that the sink calls takes its place.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from datacomp.cli.train import app
from datacomp.errors import MissingExtraError, TrainingError
from datacomp.pool import Pool
from datacomp.training import Recipe, Systems, load_scale, train, whole_pool
from datacomp.training.metrics_log import read_metrics
from datacomp.training.sinks import RunFacts, SinkName, Sinks, open_sinks
from support.runs import make_record


@dataclass
class Remembering:
    """A sink that keeps what it is given, and fails at the steps and moments that it is told to."""

    fails: tuple[str | int, ...] = ()
    steps: list[int] = field(default_factory=list)
    values: list[Mapping[str, float]] = field(default_factory=list)
    facts: list[RunFacts] = field(default_factory=list)
    finished: int = 0

    def start(self, facts: RunFacts) -> None:
        self._fail("start")
        self.facts.append(facts)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._fail(step)
        self.steps.append(step)
        self.values.append(values)

    def finish(self) -> None:
        self._fail("finish")
        self.finished += 1

    def _fail(self, moment: str | int) -> None:
        if moment in self.fails:
            raise OSError(f"no network\nat {moment}")


def send(sinks: Sinks, folder: Path, *steps: int) -> None:
    """What the loop does: start, a line a step whose loss is the step's reciprocal, finish."""
    with sinks:
        sinks.start(folder, load_scale("smoke"), make_record())
        for step in steps:
            sinks.log(step, {"loss": 1 / step, "mfu": None})


def test_a_sink_gets_the_lines_that_are_known(tmp_path: Path) -> None:
    send(Sinks({"it": (sink := Remembering())}), tmp_path, 9, 19)
    assert (sink.steps, sink.finished) == ([9, 19], 1)
    assert sink.values == [{"loss": 1 / 9}, {"loss": 1 / 19}]
    assert sink.facts[0].config["recipe_id"] == load_scale("smoke").recipe_id
    assert json.dumps(sink.facts[0].config)


def test_a_restart_goes_on_in_the_same_run_and_sends_nothing_twice(tmp_path: Path) -> None:
    first, second = Remembering(), Remembering()
    send(Sinks({"it": first}), tmp_path, 9, 19)
    send(Sinks({"it": second}), tmp_path, 19, 24)
    assert (first.steps, second.steps) == ([9, 19], [24])
    assert first.facts[0].run_id == second.facts[0].run_id


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_note_of_what_was_sent_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "sinks.json").write_text(text)
    with pytest.raises(TrainingError, match=r"sinks\.json is not what a run writes: .*Remove it"):
        send(Sinks({"mine": Remembering()}), tmp_path, 9)


def test_two_runs_are_two_for_a_sink(tmp_path: Path) -> None:
    sinks = [Remembering(), Remembering()]
    for number, sink in enumerate(sinks):
        send(Sinks({"it": sink}), tmp_path / str(number), 9)
    assert sinks[0].facts[0].run_id != sinks[1].facts[0].run_id


@pytest.mark.parametrize(
    ("fails", "arrived", "missed"),
    [(("start",), [], 3), ((9,), [19, 24], 1), ((9, 19, 24), [], 3), (("finish",), [9, 19, 24], 0)],
)
def test_a_failing_sink_is_told_once_and_stops_nothing(
    fails: tuple[str | int, ...],
    arrived: list[int],
    missed: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, sound = Remembering(fails), Remembering()
    sinks = Sinks({"broken": broken, "sound": sound})
    send(sinks, tmp_path, 9, 19, 24)
    assert (broken.steps, sound.steps) == (arrived, [9, 19, 24])
    assert list(sinks.failures) == ["broken"]
    assert sinks.failures["broken"].missed == missed
    assert sinks.failures["broken"].reason == f"OSError: no network at {fails[0]}"
    assert [record.name for record in caplog.records] == ["datacomp.training.sinks.base"]


def test_a_missing_package_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match=r"wandb.*datacomp\[sinks\]"):
        open_sinks([SinkName.WANDB])


def test_a_sink_that_failed_is_an_exit_code(
    recipe: Recipe, pool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sinks = Sinks({"wandb": Remembering(fails=(7,))})
    monkeypatch.setattr("datacomp.training.load_scale", lambda *_: recipe)
    monkeypatch.setattr("datacomp.training.sinks.open_sinks", lambda names: sinks)
    folder = tmp_path / "run"
    result = CliRunner().invoke(
        app, ["--scale", "smoke", "--pool", str(pool_folder), "--output-dir", str(folder)]
    )
    assert result.exit_code == 1
    assert "sink wandb: 1 lines not sent; OSError: no network at 7" in result.stderr
    assert (folder / "weights.safetensors").exists()


def test_tensorboard_reads_one_run_from_two_starts(
    recipe: Recipe, pool: Pool, tmp_path: Path, stop_after: Any
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    recipe = replace(recipe, samples_seen=12 * 8, global_batch_size=8)
    for seen in (11 * 8, 10**9):
        with (
            suppress(KeyboardInterrupt),
            open_sinks([SinkName.TENSORBOARD]) as sinks,
        ):
            train(
                recipe,
                pool,
                whole_pool(pool),
                tmp_path,
                subset_name="all",
                systems=Systems(checkpoint_seconds=1e9),
                progress=stop_after(seen),
                sinks=sinks,
            )
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    lines = read_metrics(tmp_path / "metrics.jsonl")
    read = events.Scalars("loss")
    assert [event.step for event in read] == [line["step"] for line in lines] == [9, 11]
    assert [event.value for event in read] == pytest.approx([line["loss"] for line in lines])
    assert {"images_per_second", "data_wait_share", "mfu"} <= set(events.Tags()["scalars"])


def test_wandb_offline_goes_on_with_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "SILENT": "true", "PROJECT": "somewhere"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    before = {"run_id": "0123456789abcdef", "sent": {"wandb": 9}}
    (tmp_path / "sinks.json").write_text(json.dumps(before))
    send(sinks := open_sinks([SinkName.WANDB]), tmp_path, 9, 19, 24)
    assert sinks.failures == {}
    wandb.teardown()  # As at the end of a process: its own writes behind the scenes.
    (path,) = (tmp_path / "wandb").glob("offline-run-*/run-0123456789abcdef.wandb")
    assert b"somewhere" in path.read_bytes()
    sent = [str(1 / step).encode() in path.read_bytes() for step in (9, 19, 24)]
    assert sent == [False, True, True]


class Trackio(ModuleType):
    """What the sink uses of trackio 0.43, strict about names of arguments; rows by run's name."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.rows: dict[str, list[int]] = {}
        self.open: str | None = None

    def init(
        self,
        project: str,
        name: str,
        *,
        resume: str,
        config: dict[str, object],
        embed: bool,
        auto_log_gpu: bool,
        auto_log_cpu: bool,
    ) -> "Trackio":
        assert project == "datacomp"
        assert resume in ("never", "allow", "must")
        assert resume == "allow" or name not in self.rows
        assert json.dumps(config)
        self.open = name
        self.rows.setdefault(name, [])
        sys.stdout.write("* Trackio project initialized: datacomp\n")
        return self

    def log(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert self.open is not None
        assert step is not None
        assert all(isinstance(value, int | float) for value in metrics.values())
        self.rows[self.open].append(step)

    def finish(self) -> None:
        self.open = None


def test_trackio_goes_on_with_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "trackio", trackio := Trackio())
    send(open_sinks([SinkName.TRACKIO]), tmp_path, 9)
    send(sinks := open_sinks([SinkName.TRACKIO]), tmp_path, 9, 19, 24)
    assert sinks.failures == {}
    assert list(trackio.rows.values()) == [[9, 19, 24]]
    assert trackio.open is None
    assert capsys.readouterr().out == ""
