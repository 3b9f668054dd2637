"""Atomic files, the registry, workspaces: what every package stands on."""

import json
import os
from pathlib import Path

import pytest

from datacomp.errors import DatacompError, MissingExtraError, UnknownNameError, UsageError, require
from datacomp.files import atomic_open, canonical_json, sha256_json, write_json
from datacomp.registry import Registry
from datacomp.workspace import Workspace


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_and_fail() -> None:
        with atomic_open(path) as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_one_form(tmp_path: Path) -> None:
    assert canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'.encode()
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    write_json(tmp_path / "x.json", {"a": 1})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", {"a": float("nan")})
    assert not (tmp_path / "y.json").exists()


def test_a_name_is_registered_once() -> None:
    registry = Registry[type]("thing")
    registry.add("a", int, origin="here")
    registry.add("a", int, origin="here")
    with pytest.raises(DatacompError, match="one from here, one from there"):
        registry.add("a", str, origin="there")
    assert list(registry) == ["a"]
    assert registry.get("a") is int


def test_an_unknown_name_suggests_the_nearest() -> None:
    registry = Registry[type]("filter", see="datacomp filter list")
    registry.add("clip_score", int, origin="here")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'clip_score'.*datacomp filter list"):
        registry.get("clip-score")


def test_a_missing_extra_says_how_to_get_it() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'datacomp\[train\]'"):
        require("a_package_that_is_not_there", "train")


def test_the_nearest_workspace_file_upwards_counts(tmp_path: Path) -> None:
    (tmp_path / "datacomp.toml").write_text('pool = "p"\nsubset = "s.npy"\nseed = 3\n')
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    workspace = Workspace.find(inside)
    assert workspace.root == tmp_path
    assert workspace.pool_for("tiny") == str(tmp_path / "p")
    assert workspace.default_subset() == tmp_path / "s.npy"
    assert workspace.seed == 3


def test_without_a_file_the_folder_is_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path)
    assert workspace.pool_for("medium") == str(tmp_path / "pools" / "medium")
    assert workspace.default_subset() is None


def test_a_url_stays_a_url(tmp_path: Path) -> None:
    (tmp_path / "datacomp.toml").write_text('pool = "s3://bucket/pool"\n')
    assert Workspace.find(tmp_path).pool_for("tiny") == "s3://bucket/pool"


def test_the_newest_run_and_report_are_the_default(tmp_path: Path) -> None:
    workspace = Workspace.find(tmp_path)
    with pytest.raises(UsageError, match=r"no finished run .* datacomp train"):
        workspace.newest_run()
    with pytest.raises(UsageError, match=r"no report .* datacomp evaluate"):
        workspace.newest_report()
    for age, name in ((2, "old"), (1, "new")):
        weights = workspace.runs / name / "weights.safetensors"
        report = workspace.runs / name / "evaluation" / "tiny" / "report.json"
        report.parent.mkdir(parents=True)
        for path in (weights, report):
            path.touch()
            os.utime(path, (0, 1_000 - age))
    (workspace.runs / "unfinished").mkdir()
    assert workspace.newest_run() == workspace.runs / "new"
    assert workspace.newest_report().parts[-4:-2] == ("new", "evaluation")


@pytest.mark.parametrize("text", ["seed = true", 'seed = "1"', "x = 1", "= 3"])
def test_a_wrong_workspace_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "datacomp.toml").write_text(text)
    with pytest.raises(UsageError, match=r"datacomp\.toml"):
        Workspace.find(tmp_path)
