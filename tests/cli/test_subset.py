"""`datacomp subset` as a user types it; the algebra itself is tested in tests/subset."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from datacomp.cli.subset import app
from datacomp.errors import SubsetError, UsageError
from datacomp.subset import UID_DTYPE, Subset, read_lock, read_subset, write_subset


@pytest.fixture
def files(tmp_path, monkeypatch):
    """a.npy holds 1 1 2 3, b.npy holds 1 3 4 and used the truth."""
    monkeypatch.chdir(tmp_path)
    for name, words, lock in (("a", [1, 1, 2, 3], {}), ("b", [1, 3, 4], {"uses_truth": True})):
        uids = np.array([(0, word) for word in words], UID_DTYPE)
        write_subset(Subset.from_uids(uids), f"{name}.npy", {"operation": f"make {name}", **lock})
    return tmp_path


def call(*words):
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def lows(path):
    return read_subset(path).uids["f1"].tolist()


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("union", [1, 1, 2, 3, 4]), ("intersect", [1, 3]), ("minus", [2])],
)
def test_an_operation_writes_its_subset_and_where_it_came_from(files, operation, expected):
    output = call(operation, "a.npy", "b.npy", "-o", "c.npy")
    assert lows("c.npy") == expected
    assert read_subset("c.npy").sha256 in output
    lock = read_lock("c.npy")
    assert lock["operation"] == operation
    assert [item["sha256"] for item in lock["inputs"]] == [
        read_subset(f"{name}.npy").sha256 for name in "ab"
    ]
    assert [item["lock"]["operation"] for item in lock["inputs"]] == ["make a", "make b"]


def test_one_input_that_used_the_truth_marks_the_result(files):
    call("union", "a.npy", "b.npy", "-o", "c.npy")
    call("union", "a.npy", "a.npy", "-o", "d.npy")
    assert read_lock("c.npy")["uses_truth"] is True
    assert read_lock("d.npy")["uses_truth"] is False


def test_one_file_is_too_few(files):
    with pytest.raises(UsageError, match="two or more"):
        call("union", "a.npy", "-o", "c.npy")


def test_info_says_what_it_holds_and_how_it_came_about(files):
    assert "entries   4\nuids      3\n" in call("info", "a.npy")
    assert "made by   make a" in call("info", "a.npy")
    facts = json.loads(call("info", "b.npy", "--json"))
    assert (facts["n"], facts["n_unique"], facts["lock"]["uses_truth"]) == (3, 3, True)


def test_info_says_when_the_lock_is_missing_or_of_other_content(files):
    (files / "b.npy.lock.json").rename(files / "a.npy.lock.json")
    assert "belongs to other content" in call("info", "a.npy")
    assert "lock      none" in call("info", "b.npy")


@pytest.mark.parametrize("edit", [{"filter": 3}, {"filter": {"name": "x"}}, {"inputs": 3}])
def test_info_survives_an_edited_lock(files, edit):
    lock = Path("a.npy.lock.json")
    lock.write_text(json.dumps({**json.loads(lock.read_text()), **edit}))
    assert "lock      was edited" in call("info", "a.npy")


@pytest.mark.parametrize(
    ("output", "facts"),
    [("file/x.npy", "cannot write to file"), ("folder.npy", "is a folder"), ("x.txt", "ends in")],
)
def test_an_output_that_cannot_be_written_is_an_error_before_the_work(files, output, facts):
    Path("file").touch()
    Path("folder.npy").mkdir()
    with pytest.raises(SubsetError, match=facts):
        call("sort", "a.npy", "-o", output)


def test_sample_draws_by_number_or_fraction(files):
    call("sample", "a.npy", "-n", "2", "--seed", "5", "-o", "c.npy")
    assert read_subset("c.npy").n == 2
    assert read_lock("c.npy")["parameters"] == {"fraction": None, "n": 2, "seed": 5}
    call("sample", "a.npy", "--fraction", "0.75", "-o", "c.npy")
    assert read_subset("c.npy").n == 3


def test_sort_mends_the_file_that_reading_refuses(files):
    np.save("wild.npy", np.array([(0, 9), (0, 1)], UID_DTYPE))
    with pytest.raises(SubsetError, match=r"datacomp subset sort wild\.npy -o sorted\.npy"):
        call("info", "wild.npy")
    call("sort", "wild.npy", "-o", "sorted.npy")
    assert lows("sorted.npy") == [1, 9]


def test_the_memory_limit_takes_sizes_and_does_not_change_the_result(files):
    words = {"union": ["a.npy", "b.npy"], "sort": ["a.npy"], "sample": ["a.npy", "-n", "3"]}
    for command, inputs in words.items():
        call(command, *inputs, "-o", "wide.npy")
        call(command, *inputs, "-o", "narrow.npy", "--max-memory", "4M")
        assert (files / "wide.npy").read_bytes() == (files / "narrow.npy").read_bytes()
    with pytest.raises(UsageError, match="at least 4,194,304 bytes, got 1,024"):
        call("union", "a.npy", "b.npy", "-o", "c.npy", "--max-memory", "1K")
