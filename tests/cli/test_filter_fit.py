"""`datacomp filter fit` as typed; the trainings themselves are tested in tests/filters/learned."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp.filtering import FILTERS

PLUGIN = '''
"""A filter that learns the mean of a column, in rounds, with a log."""

import json
from dataclasses import dataclass

import numpy as np

from datacomp.filtering import Filter, Fit, keep_unless


@dataclass(frozen=True, kw_only=True)
class Mean(Fit):
    """Means by column."""

    name = "mean"
    rounds: int

    def columns(self):
        return ("s",)

    def fit(self, view, bench):
        scores = np.concatenate([rows.scores("s") for rows in view.parts()])
        with (bench.folder / "log.jsonl").open("w") as log:
            for step in range(self.rounds):
                bench.tell(f"round {step}")
                log.write(json.dumps({"step": step, "mean_so_far": float(scores.mean())}) + "\\n")
        return {
            "column": np.array(["s", "nothing"]),
            "mean": np.array([scores.mean(), 0]),
            "rows": np.array([len(scores)]),
        }


@dataclass(frozen=True, kw_only=True)
class AboveMean(Filter):
    """What is above."""

    name = "above_mean"
    summary = "Keep what is above the mean."
    rounds: int = 3

    def columns(self):
        return ("s",)

    def fits(self):
        return (Mean(rounds=self.rounds),)

    def select(self, view):
        mean = view.arrays(self.fits()[0])["mean"][0]
        for rows in view.parts():
            yield keep_unless(rows, {"below": ~(rows.scores("s") > mean)})
'''


@pytest.fixture
def typed(tmp_path, monkeypatch):
    """Type a command in a workspace with a pool and the plugin."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pool" / "metadata").mkdir(parents=True)
    table = pa.table({"uid": [f"{n:032x}" for n in range(4)], "s": np.array([1.0, 2, 3, 6])})
    pq.write_table(table, tmp_path / "pool" / "metadata" / "0.parquet")
    (tmp_path / "above.py").write_text(PLUGIN)

    known = dict(FILTERS._known())

    def run(*words, plugin=True):
        given = [*words, "--pool", "pool", *(["--plugin", "above.py"] if plugin else [])]
        return CliRunner().invoke(app, ["filter", *given])

    yield run
    FILTERS._known().clear()
    FILTERS._known().update(known)


def test_it_computes_shows_where_and_what_and_runs_nothing_twice(typed, tmp_path):
    done = typed("fit", "above_mean", "rounds=2")
    assert done.exit_code == 0, done.output
    for said in ("fit      mean", "arrays.npz", "log.jsonl", "mean so far 3", "nothing"):
        assert said in done.stdout
    (path,) = (tmp_path / "scores").glob("fits/mean/*/arrays.npz")
    assert np.load(path)["rows"].tolist() == [4]
    again = typed("fit", "above_mean", "rounds=2")
    assert "stored before" in again.stdout
    assert not (tmp_path / "subsets").exists()


def test_what_was_fitted_is_what_a_run_uses(typed, tmp_path):
    typed("fit", "above_mean")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("fits/*/*/*")}
    done = typed("run", "above_mean", "-o", "mine.npy")
    assert done.exit_code == 0, done.output
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "scores").glob("fits/*/*/*")}
    assert after == before
    assert len(np.load("mine.npy")) == 1


def test_json_tells_the_same(typed):
    (told,) = json.loads(typed("fit", "above_mean", "--json").stdout)
    assert told["fit"] == "mean"
    assert told["stored_before"] is False
    assert told["last"] == {"step": 2, "mean_so_far": 3.0}
    assert told["table"] == [{"column": "s", "mean": 3.0}, {"column": "nothing", "mean": 0.0}]
    assert told["arrays"] == {"column": [2], "mean": [2], "rows": [1]}


def test_other_processes_of_a_group_compute_but_write_and_say_nothing(typed, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    done = typed("fit", "above_mean", "--json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert not list((tmp_path / "scores").glob("fits/*/*/arrays.npz"))


def test_a_filter_that_learns_nothing_is_refused(typed):
    done = typed("fit", "no_filter", plugin=False)
    assert done.exit_code != 0
    assert "nothing to fit" in str(done.exception or done.output)


def test_columns_that_are_not_stored_are_refused_in_a_group(typed, tmp_path, monkeypatch):
    plugin = tmp_path / "above.py"
    step = '''
import pyarrow as pa
from datacomp.filtering import RowStep


@dataclass(frozen=True, kw_only=True)
class Twice(RowStep):
    """Twice the column."""

    name = "twice"
    rows_per_second = 1.0

    def columns(self):
        return ("s",)

    def outputs(self):
        return pa.schema([("twice", pa.float64())])

    def open(self, host):
        double = lambda batch: pa.array(batch.column("s").to_numpy() * 2)
        return lambda batch: pa.record_batch([double(batch)], names=["twice"])
'''
    inputs = "\n\n    def inputs(self):\n        return (Twice(),)\n"
    text = PLUGIN.replace('name = "mean"', 'name = "mean"' + inputs)
    plugin.write_text(text.replace("@dataclass", step + "\n\n@dataclass", 1))
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = typed("fit", "above_mean")
    assert "step 'twice' lacks 1 of 1 parts" in str(done.exception or done.output)
    monkeypatch.delenv("WORLD_SIZE")
    assert typed("fit", "above_mean").exit_code == 0
