"""The example of docs/filters.md works as it stands, from the file to the subset."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datacomp.cli.filter import app
from datacomp.filtering import FILTERS, filter_class
from datacomp.subset import read_lock, read_subset

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "filters.md").read_text()


@pytest.fixture
def forget_plugins():
    known = FILTERS._known()
    before = dict(known)
    yield
    known.clear()
    known.update(before)


@pytest.mark.usefixtures("forget_plugins")
def test_the_documented_filter_runs_by_the_documented_commands(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (selection,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("quiet.py").write_text(code)
    Path("mine.yaml").write_text(selection)
    Path("datacomp.toml").write_text(f'pool = "{ROOT / "tests" / "golden" / "pool"}"\n')
    commands = re.findall(r"^    datacomp filter (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 8
    for command in commands:
        words = command.split("#")[0].split()
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert 0 < read_subset("quiet.npy").n < 6000
    assert set(read_lock("quiet.npy")["counts"]["dropped"]) == {"no_letters", "shouting"}
    assert read_subset("mine.npy").n == 1800
    assert 0 < read_subset("subsets/mine.npy").n < 1800


def test_every_built_in_filter_stands_in_the_table():
    pages = PAGE + (ROOT / "docs" / "baselines.md").read_text()
    # What a method is, costs, and leaves out of its paper has a section of its own.
    methods = (ROOT / "docs" / "methods.md").read_text()
    built_in = [name for name in FILTERS if FILTERS.origin(name).startswith("datacomp ")]
    assert len(built_in) >= 4
    for kind in map(filter_class, built_in):
        assert f"`{kind.name}`" in pages
        if "2304.14108" not in kind.reference:
            assert f"\n## {kind.name}\n" in methods
            assert all(paper in methods for paper in re.findall(r"\d{4}\.\d{5}", kind.reference))
