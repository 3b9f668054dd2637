"""The list of runs and their curves, from whatever stands in their folders."""

import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from datacomp.cli.runs import app
from datacomp.errors import TrainingError, UsageError
from datacomp.files import write_json
from datacomp.training import load_scale
from datacomp.training.curves import Curves, draw_curves, read_curves, short_count
from datacomp.training.run_list import list_runs
from support.runs import make_record


def line(step: int, loss: float = 2.0) -> dict[str, Any]:
    return {
        "step": step,
        "samples": (step + 1) * 64,
        "loss": loss,
        "learning_rate": 1e-3,
        "logit_scale": 14.2,
        "images_per_second": 250.0,
    }


def make_run(folder: Path, *steps: int, finished: bool = False, loss: float = 2.0) -> Path:
    """A run of the smoke scale with these logged steps; without any, as it is at its start."""
    recipe = load_scale("smoke")
    record = make_record(checkpoint_sha256="c" if finished else None)
    write_json(folder / "run.json", {"schema": "datacomp-run/2", **asdict(record)})
    write_json(folder / "recipe.json", asdict(recipe))
    if steps:
        text = "".join(json.dumps(line(step, loss)) + "\n" for step in steps)
        (folder / "metrics.jsonl").write_text(text)
    return folder


def runs(workspace: Path, monkeypatch: pytest.MonkeyPatch, *args: str) -> Result:
    monkeypatch.chdir(workspace)
    return CliRunner().invoke(app, args, env={"COLUMNS": "80"})


def test_a_list_tells_how_far_each_run_is(tmp_path: Path) -> None:
    make_run(tmp_path / "c", 9, 15, finished=True)
    make_run(tmp_path / "b", 9)
    make_run(tmp_path / "a")
    (tmp_path / "no run").mkdir()
    found = list_runs(tmp_path)
    assert [(run.name, run.state, run.step, run.steps, run.loss) for run in found] == [
        ("a", "unfinished", 0, 16, None),
        ("b", "unfinished", 10, 16, 2.0),
        ("c", "finished", 16, 16, 2.0),
    ]
    assert (found[0].scale, found[0].subset, found[0].seed) == ("smoke", "mine", 4)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "datacomp-run/0"}', '{"subset": 3}'])
def test_a_run_that_cannot_be_read_is_listed_as_that(tmp_path: Path, text: str) -> None:
    make_run(tmp_path / "bad", 9)
    (tmp_path / "bad" / "run.json").write_text(text)
    (found,) = list_runs(tmp_path)
    assert found.state == "unreadable"
    assert found.problem


@pytest.mark.parametrize(
    "log",
    [
        b"\xff\xfe",
        b"[1]\nnull",
        b'{"step": Infinity}',
        b'{"step": 9, "loss": NaN}',
        b'{"step": "9"}',
    ],
)
def test_a_log_that_is_none_does_not_hide_the_run(tmp_path: Path, log: bytes) -> None:
    make_run(tmp_path / "run", 9)
    (tmp_path / "run" / "metrics.jsonl").write_bytes(log)
    (found,) = list_runs(tmp_path)
    assert (found.state, found.step, found.loss) == ("unfinished", 0, None)
    with pytest.raises(TrainingError, match="no line yet"):
        read_curves(tmp_path / "run")


def test_a_variant_is_named(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 9)
    value = json.loads((tmp_path / "run" / "run.json").read_text())
    recipe_id = load_scale("smoke", "sequential").recipe_id
    write_json(tmp_path / "run" / "run.json", value | {"recipe_id": recipe_id})
    assert list_runs(tmp_path)[0].variant == "sequential"


def test_the_table_fits_eighty_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs" / "tiny-a_rather_long_name_of_a_subset-seed12", 9)
    result = runs(tmp_path, monkeypatch, "list")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert re.search(r"smoke +mine +4 +10/16 +2\.000 +250", result.stdout)


def test_a_workspace_without_runs_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = runs(tmp_path, monkeypatch, "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "datacomp train" in result.stderr


def test_a_torn_line_is_counted_and_left_out(tmp_path: Path) -> None:
    make_run(tmp_path / "run", 9, 19)
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 29, "lo')
    curves = read_curves(tmp_path / "run")
    assert (curves.torn, curves.points("loss")) == (1, ([640.0, 1280.0], [2.0, 2.0]))


def test_a_value_that_a_line_lacks_is_not_drawn() -> None:
    lines = ({"step": 0, "samples": 64, "mfu": None}, {"step": 1, "samples": 128, "mfu": 0.5})
    assert Curves("run", lines, torn=0).points("mfu") == ([128.0], [0.5])


@pytest.mark.parametrize("log", [None, "", '{"step": 9, "sam'])
def test_a_run_without_a_line_is_refused(tmp_path: Path, log: str | None) -> None:
    if log is not None:
        (tmp_path / "metrics.jsonl").write_text(log)
    with pytest.raises(TrainingError, match=str(tmp_path)):
        read_curves(tmp_path)


def test_a_terminal_gets_four_panels_of_its_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "runs" / "mine", 9, 19, 29)
    result = runs(tmp_path, monkeypatch, "show", "mine")
    assert result.exit_code == 0
    text = result.stdout
    assert all(title in text for title in ("loss (nats)", "learning rate", "images per second"))
    assert max(map(len, text.splitlines())) == 80
    assert "\x1b" not in text


def test_runs_are_told_apart_by_letters_where_there_is_no_colour(tmp_path: Path) -> None:
    curves = [read_curves(make_run(tmp_path / n, 9, 29, loss=x)) for n, x in (("x", 1), ("y", 2))]
    plain = draw_curves(curves, 80, color=False)
    assert plain.startswith("A  x\nB  y\n")
    assert "AAA" in plain
    assert "BBB" in plain
    assert "\x1b[38;2;0;114;178m" in draw_curves(curves, 80, color=True)


def test_a_picture_shows_each_run_in_its_colour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "runs" / "x", 9, 29, loss=1.0)
    make_run(tmp_path / "elsewhere", 9, 29, loss=3.0)
    result = runs(tmp_path, monkeypatch, "show", "x", "elsewhere", "-o", "curves.png")
    assert (result.exit_code, result.stdout) == (0, "picture  curves.png\n")
    image = Image.open(io.BytesIO((tmp_path / "curves.png").read_bytes())).convert("RGB")
    colors = {color for _, color in image.getcolors(10**6)}
    assert {(0, 0x72, 0xB2), (0xE6, 0x9F, 0)} <= colors


def test_the_lines_come_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs" / "x", 9)
    result = runs(tmp_path, monkeypatch, "show", "x", "--json")
    assert json.loads(result.stdout) == [{"name": "x", "lines": [line(9)]}]


def test_another_kind_of_picture_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = runs(tmp_path, monkeypatch, "show", "x", "-o", "curves.svg")
    assert isinstance(result.exception, UsageError)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (640, "640"), (12.8e6, "12.8M"), (30720, "30.7k"), (2e9, "2B")]
)
def test_counts_are_short(count: float, text: str) -> None:
    assert short_count(count) == text
