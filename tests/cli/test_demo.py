"""What `datacomp demo` prints; the demo itself has its own tests."""

import pytest
from typer.testing import CliRunner

import datacomp.demo
from datacomp.cli.demo import app
from datacomp.demo import DemoOutcome, MethodResult
from datacomp.demo.results import gaps


def row(name, *averages, oracle=False):
    return MethodResult(name, oracle, 3600, 0.3, averages, {"naming": 0.1, "transfer": 0.5})


RESULTS = (
    row("oracle", 0.30, 0.31, 0.30, oracle=True),
    row("flyt", 0.29, 0.29, 0.29),
    row("clip_score 30%", 0.25, 0.26, 0.25),
    row("sieve", 0.25, 0.24, 0.26),
    row("normsim", 0.20, 0.21, 0.20),
)


BOARD = {
    "rows": [
        {"method": "oracle", "rank": None, "level": "re-evaluated"},
        {"method": "flyt", "rank": 1, "level": "re-trained"},
        {"method": "clip_score 30%", "rank": 2, "level": "re-evaluated"},
    ]
}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the demo was asked for; it answers with the same results, whatever that was."""
    seen = {}

    def run(folder, progress, *, methods, seeds):
        seen.update(methods=[method.name for method in methods], seeds=seeds)
        found = tuple(gaps(RESULTS, ("oracle", "clip_score 30%")))
        return DemoOutcome(RESULTS, found, tmp_path / "plot.png", tmp_path / "noise.png", BOARD)

    monkeypatch.setattr(datacomp.demo, "run_demo", run)
    monkeypatch.setenv("COLUMNS", "80")
    return seen


def call(*words):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_five_baselines_with_two_seeds_unless_told_otherwise(asked, tmp_path):
    call("--output-dir", str(tmp_path))
    assert (len(asked["methods"]), asked["seeds"]) == (5, 2)
    call("--output-dir", str(tmp_path), "--methods", "oracle,dfn", "--seeds", "3")
    assert asked == {"methods": ["oracle", "dfn"], "seeds": 3}


def test_methods_beside_the_strongest_baseline_in_80_columns(asked, tmp_path):
    lines = call("--output-dir", str(tmp_path), "--methods", "all").splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    assert "oracle - clip_score 30%: 5.00 points, 8.7 x seed spread (more than twice)" in lines
    verdicts = [
        line.split() for line in lines if line.split(" ")[0] in ("above", "below", "within")
    ]
    assert verdicts == [["above", "flyt"], ["below", "normsim"], ["within", "sieve"]]


def test_ranks_and_the_level_that_they_all_have(asked, tmp_path):
    lines = call("--output-dir", str(tmp_path)).splitlines()
    (start,) = (place for place, line in enumerate(lines) if line.startswith("level: "))
    said = " ".join(lines[start : start + 2])
    assert said.startswith("level: re-evaluated (an organiser's worker evaluated the submitted")
    assert said.endswith("ranks: 1 flyt, 2 clip_score 30%")


def test_one_seed_makes_no_verdict(asked, tmp_path):
    output = call("--output-dir", str(tmp_path), "--methods", "all", "--seeds", "1")
    assert "points" not in output
    assert "above" not in output.replace(str(tmp_path), "")
