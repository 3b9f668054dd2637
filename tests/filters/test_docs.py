"""The example of docs/filters.md works as it stands, from the file to the subset."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datacomp.cli.filter import app
from datacomp.filtering import FILTERS
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
    monkeypatch.chdir(tmp_path)
    Path("quiet.py").write_text(code)
    Path("datacomp.toml").write_text(f'pool = "{ROOT / "tests" / "golden" / "pool"}"\n')
    commands = re.findall(r"^    datacomp filter (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        result = CliRunner().invoke(app, command.split(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert 0 < read_subset("quiet.npy").n < 6000
    assert set(read_lock("quiet.npy")["counts"]["dropped"]) == {"no_letters", "shouting"}
    assert read_subset("mine.npy").n == 1800


def test_every_built_in_filter_stands_in_the_table():
    for name in ("no_filter", "random", "basic_filter", "clip_score"):
        assert f"| `{name}` |" in PAGE
