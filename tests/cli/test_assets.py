"""`datacomp assets`: what it lists, where it finds, and what it says when there is nothing."""

import json

import pytest
from typer.testing import CliRunner

from datacomp.cli.assets import app
from datacomp.errors import FilterError, UnknownNameError
from datacomp.filtering.assets import RELEASES


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("DATACOMP_ASSETS", raising=False)
    monkeypatch.setenv("DATACOMP_CACHE", str(tmp_path / "cache"))


def call(*words):
    return CliRunner().invoke(app, words, catch_exceptions=False)


def test_the_list_names_every_asset_within_80_columns():
    lines = call("list").output.splitlines()
    for name in RELEASES:
        assert any(line.startswith(f"{name}  not here") for line in lines)
    assert max(len(line) for line in lines) <= 80


def test_the_list_as_json_has_hashes_and_places():
    rows = json.loads(call("list", "--json").output)
    assert [row["name"] for row in rows] == list(RELEASES)
    assert rows[0]["paths"] == [None]
    assert rows[0]["files"][0]["sha256"].startswith("7e69ec54")


def test_a_missing_asset_has_no_path():
    with pytest.raises(FilterError, match="datacomp assets fetch wordnet"):
        call("path", "wordnet")


def test_an_unknown_asset_is_not_fetched():
    with pytest.raises(UnknownNameError, match="no asset named 'wordnet31'"):
        call("fetch", "wordnet31")
