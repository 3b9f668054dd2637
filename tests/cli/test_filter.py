"""`datacomp filter` as a user types it, on the pool whose answers are known; 80 columns wide."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datacomp.cli.filter import app
from datacomp.cli.subset import app as subset_app
from datacomp.errors import FilterError, PoolError, SubsetError, UnknownNameError, UsageError
from datacomp.filtering import PartsFailed
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.subset import read_lock, read_subset

GOLDEN = Path(__file__).parents[1] / "golden"
POOL = ("--pool", str(GOLDEN / "pool"))
TOYS = ("--plugin", str(Path(__file__).parents[1] / "filtering" / "toys.py"))


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def call(*words):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_shows_every_filter_within_80_columns():
    output = call("list")
    assert max(len(line) for line in output.splitlines()) <= 80
    for name in ("no_filter", "random", "basic_filter", "clip_score"):
        assert name in output
    rows = {row["name"]: row for row in json.loads(call("list", "--json"))}
    assert rows["random"]["params"] == {"fraction": "float", "seed": "int = 0"}


def test_no_filter_of_ours_is_broken_in_the_list():
    rows = json.loads(call("list", "--json"))
    ours = [row for row in rows if row["origin"].startswith("datacomp ")]
    assert len(ours) >= 10
    assert {row["name"]: row["error"] for row in ours if row["error"]} == {}
    assert {row["name"] for row in ours if not row["reference"]} == set()


def test_list_tells_kinds_costs_and_papers():
    rows = {row["name"]: row for row in json.loads(call("list", "--json"))}
    assert {name: rows[name]["kind"] for name in ("clip_score", "basic_filter", "image_based")} == {
        "clip_score": "select",
        "basic_filter": "row",
        "image_based": "row + fit",
    }
    assert rows["clip_score"]["worker_seconds_per_million_rows"] == 0
    assert rows["basic_filter"]["worker_seconds_per_million_rows"] > 0
    assert rows["image_based"]["uses_eval_related_data"] == "train"
    assert [fit["cost"] for fit in rows["image_based"]["fits"]] == ["seconds"]
    assert "arXiv 2304.14108" in call("list")


def test_run_writes_subset_and_lock_into_the_workspace(workspace):
    output = call("run", "clip_score", "fraction=0.3", "compat=datacomp", *POOL)
    path = workspace / "subsets" / "clip_score-fraction=0.3-compat=datacomp.npy"
    golden = read_subset(GOLDEN / "npy" / "clip_l14_f0.3.npy")
    assert read_subset(path).sha256 == golden.sha256
    assert "kept     1,801 of 6,000 rows (30.0%)" in output
    assert golden.sha256 in output
    assert "below_cut" in output
    assert f"datacomp train --scale tiny --subset {path}" in output
    assert read_lock(path)["filter"]["params"]["compat"] == "datacomp"


def test_run_twice_says_what_it_reused(workspace):
    first = call("run", "basic_filter", *POOL, "-o", "a.npy")
    second = call("run", "basic_filter", "min_side=100", *POOL, "-o", "b.npy")
    assert "3 parts computed, 0 reused" in first
    assert "0 parts computed, 3 reused" in second


def test_run_prints_the_lock_as_json():
    facts = json.loads(call("run", "random", "fraction=0.5", *POOL, "--json"))
    assert facts["file"].endswith("subsets/random-fraction=0.5.npy")
    assert (facts["n"], facts["counts"]["dropped"]) == (3000, {"not_drawn": 3000})


def test_explain_shows_rules_hits_and_misses_before_anything_runs(workspace):
    output = call("explain", "basic_filter", *POOL)
    assert max(len(line) for line in output.splitlines() if "golden" not in line) <= 80
    assert "not_english: fastText" in output
    assert not list((workspace / "scores").rglob("*.parquet"))
    call("run", "basic_filter", *POOL)
    (step,) = json.loads(call("explain", "basic_filter", *POOL, "--json"))["steps"]
    assert (step["parts_stored"], step["parts_missing"]) == (3, 0)
    assert "computes nothing" in call("explain", "clip_score", "threshold=0.3", *POOL)


def test_an_unknown_parameter_is_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"no parameter 'fracton'.*fraction: float \| None = None"):
        call("run", "clip_score", "fracton=0.3", *POOL)


def test_an_output_that_cannot_be_a_subset_is_refused_before_the_run(workspace):
    with pytest.raises(SubsetError, match=r"ends in \.npy"):
        call("run", "basic_filter", *POOL, "-o", "a.parquet")
    assert not list((workspace / "scores").rglob("*.parquet"))


def test_a_failed_part_ends_in_a_table_and_no_subset(workspace):
    words = ["run", "toy_longest", "trouble=dtype", *TOYS, *POOL, "-o", "a.npy"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, PartsFailed)
    assert result.exit_code != 0
    assert "but declares length: float" in result.stderr
    assert not (workspace / "a.npy").exists()


def test_a_plugin_file_brings_its_filters():
    assert "toy_longest" in call("list", *TOYS)
    assert "kept" in call("run", "toy_longest", "minimum=20", *TOYS, *POOL)


SELECTION = """
select:
  and:
    - basic_filter
    - clip_score: {fraction: 0.3, compat: datacomp}
"""


def test_a_selection_file_runs_like_a_filter_and_its_lock_rebuilds_it(workspace):
    (workspace / "mine.yaml").write_text(SELECTION)
    output = call("run", "mine.yaml", *POOL)
    assert max(len(line) for line in output.splitlines() if "/" not in line) <= 80
    assert "clip_score: below_cut" in output
    first = read_subset("subsets/mine.npy")
    assert 0 < first.n < 1801
    call("run", "subsets/mine.npy.lock.json", *POOL)
    assert read_subset("subsets/mine-again.npy").sha256 == first.sha256
    info = CliRunner().invoke(subset_app, ["info", "subsets/mine.npy"], catch_exceptions=False)
    assert "made by   a selection:\n  and:\n  - basic_filter:" in info.stdout


def test_explain_shows_a_selection_as_a_tree(workspace):
    (workspace / "mine.yaml").write_text(SELECTION)
    output = call("explain", "mine.yaml", *POOL)
    assert max(len(line) for line in output.splitlines() if "golden" not in line) <= 80
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines[lines.index("  basic_filter:") + 1] == "    null_caption: there is no caption."
    assert "fasttext_language" in output


def test_a_lock_whose_subset_comes_out_otherwise_is_an_error(workspace):
    call("run", "clip_score", "fraction=0.3", *POOL, "-o", "mine.npy")
    lock = json.loads((workspace / "mine.npy.lock.json").read_text())
    lock["selection"]["clip_score"]["fraction"] = 0.31
    (workspace / "mine.npy.lock.json").write_text(json.dumps(lock))
    with pytest.raises(FilterError, match=r"that mine.npy.lock.json promises.* differ in: counts"):
        call("run", "mine.npy.lock.json", *POOL)
    with pytest.raises(UsageError, match=r"would replace mine.npy.lock.json"):
        call("run", "mine.npy.lock.json", *POOL, "-o", "mine.npy")
    assert read_subset("mine.npy").n == 1800


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (("mine.yaml", "fraction=0.3"), "holds its parameters itself"),
        (("nowhere.yaml",), "no selection file nowhere.yaml"),
        (("no_filter", "--executor", "slurm"), "an executor is local or ray"),
        (("no_filter", "--ray-address", "auto"), "--ray-address is for"),
        (("no_filter", "--max-memory", "lots"), "a size is a number"),
        (("no_filter", "--max-memory", "0"), "a size is a number"),
    ],
)
def test_words_that_make_no_sense_are_answered(workspace, words, facts):
    (workspace / "mine.yaml").write_text(SELECTION)
    with pytest.raises(UsageError, match=facts):
        call("run", *words, *POOL)


def test_what_a_step_prints_is_no_result():
    result = CliRunner().invoke(
        app, ["run", "toy_longest", "trouble=print", *TOYS, *POOL, "--json", "-o", "a.npy"]
    )
    assert json.loads(result.stdout)["counts"]["rows"] == 6000
    assert "a step that talks" in result.stderr


@pytest.fixture
def tiny(workspace):
    """A tiny pool of rows without pictures, whose scores were drawn."""
    build_tiny(workspace / "tiny", TinyConfig(rows=400, images=False))
    return ("--pool", str(workspace / "tiny"))


def test_report_shows_who_finds_which_noise_within_80_columns(tiny):
    output = call("report", "clip_score", "basic_filter", "clip_score fraction=0.1 arch=b32", *tiny)
    lines = output.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert "arch=b32" in output
    basic = next(line.split() for line in lines if line.startswith("basic_filter *"))
    # Another language, junk and bad geometry are what its rules are for.
    assert basic[4] > "0.8"
    assert "Of the pool's captions 50.0% are true." in " ".join(output.split())


def test_report_writes_a_picture_csv_and_json(workspace, tiny):
    found = json.loads(call("report", "clip_score", "-o", "out", "--json", *tiny))
    assert found == json.loads((workspace / "out" / "report.json").read_text())
    assert (found["fraction"], found["filters"][0]["kept"]) == (0.3, 120)
    assert {path.name for path in (workspace / "out").iterdir()} == {
        "report.png",
        "report.csv",
        "report.json",
    }


def test_report_takes_selection_files_and_refuses_the_same_twice(workspace, tiny):
    (workspace / "mine.yaml").write_text(SELECTION)
    assert "mine *" in call("report", "mine.yaml", *tiny)
    with pytest.raises(UsageError, match="'clip_score' stands there twice"):
        call("report", "clip_score", "clip_score", *tiny)


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("", "no filter named ''"),
        ("'clip_score", "No closing quotation"),
        ("random fraction=0.1 fraction=0.2", "'fraction' is given twice"),
    ],
)
def test_report_answers_what_is_no_filter(what, answer, tiny):
    with pytest.raises((UsageError, UnknownNameError), match=answer):
        call("report", what, *tiny)


def test_report_refuses_an_output_that_is_a_file_before_the_work(workspace, tiny):
    (workspace / "out").write_text("")
    with pytest.raises(UsageError, match="out cannot be a folder for the report"):
        call("report", "basic_filter", "-o", "out", *tiny)
    assert not list((workspace / "scores").rglob("*.parquet"))


def test_report_needs_a_pool_with_truth():
    with pytest.raises(PoolError, match="nobody knows what is noise"):
        call("report", "clip_score", *POOL)
