"""`datacomp filter new` and `filter check` as an author types them; 80 columns wide."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datacomp.cli.filter import app
from datacomp.errors import FilterError, UsageError

BAD = ("--plugin", str(Path(__file__).with_name("bad_filters.py")))


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def call(*words):
    return CliRunner().invoke(app, list(words))


def test_new_says_what_it_wrote_and_what_to_type_next(workspace):
    said = call("new", "few_commas", "-o", "mine")
    assert said.exit_code == 0, said.output
    assert "wrote    mine/src/few_commas/few_commas.py" in said.stdout
    assert (workspace / "mine" / "src" / "few_commas" / "few_commas.py").is_file()
    assert "pip install -e mine\n" in said.stdout
    assert "datacomp filter check few_commas\n" in said.stdout
    assert isinstance(call("new", "few_commas", "-o", "mine").exception, UsageError)


def test_check_shows_a_line_a_check_and_how_to_mend_what_failed():
    said = call("check", "bad_reasons", *BAD)
    assert max(len(line) for line in said.stdout.splitlines()) <= 80
    lines = [line.strip().split(maxsplit=2) for line in said.stdout.splitlines()]
    assert ["reasons", "failed", "Reasons have short names, equal in all parts."] in lines
    assert ["batch_size", "skipped", "it has no steps that compute row by row"] in lines
    for fact in ("expected", "reasons like few_words", "came", "Way too short!", "mend it"):
        assert fact in said.stdout
    assert "1 failed" in said.stdout
    assert isinstance(said.exception, FilterError)
    assert str(said.exception).startswith("filter 'bad_reasons' fails 1 of 29 checks: reasons")


def test_check_answers_in_json():
    said = call("check", "bad_empty_pool", *BAD, "--json")
    ended = {result["check"]: result for result in json.loads(said.stdout)}
    assert ended["clone"] == {"check": "clone", "status": "passed"}
    assert ended["batch_size"]["why"] == "it has no steps that compute row by row"
    assert ended["empty_pool"].keys() == {"check", "status", "expected", "came", "mend"}
