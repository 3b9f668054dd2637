"""`datacomp filter new`: what it writes is built, installed elsewhere, checked and run there."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from datacomp.errors import UsageError
from datacomp.filtering.template import write_package
from datacomp.subset import read_lock, read_subset

GOLDEN = Path(__file__).parents[1] / "golden" / "pool"


def run(*command, cwd):
    environment = os.environ | {"COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the new package and a virtual environment that has its wheel installed.

    The environment sees the packages of this one, so that nothing is downloaded.
    """
    home = tmp_path_factory.mktemp("third-party")
    write_package("calm_words", home / "calm_words")
    pip, offline = (sys.executable, "-m", "pip"), ("--no-index", "--no-deps", "--quiet")
    build = (*pip, "wheel", *offline, "--no-build-isolation", "-w", "dist", "./calm_words")
    run(*build, cwd=home)
    run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=home)
    (site,) = home.glob("venv/lib/python*/site-packages")
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    (wheel,) = home.glob("dist/*.whl")
    run(*pip, "--python", "venv/bin/python", "install", *offline, str(wheel), cwd=home)
    return home


def datacomp(home, *words):
    return run(home / "venv" / "bin" / "python", "-m", "datacomp", "filter", *words, cwd=home)


def test_the_installed_filter_is_listed(home):
    rows = {row["name"]: row for row in json.loads(datacomp(home, "list", "--json"))}
    row = rows["calm_words"]
    assert row["origin"] == "calm-words 0.1.0 (calm_words.calm_words:CalmWords)"
    assert (row["error"], row["params"]) == (None, {"least": "float = 0.5"})


def test_the_installed_filter_holds_to_the_contract(home):
    results = json.loads(datacomp(home, "check", "calm_words", "--json"))
    ended = {result["check"]: result["status"] for result in results}
    assert set(ended.values()) == {"passed", "skipped"}
    assert (ended["batch_size"], ended["part_split"]) == ("passed", "passed")


def test_the_installed_filter_runs(home):
    words = ("run", "calm_words", "least=0.9", "--pool", str(GOLDEN), "-o", "calm.npy")
    assert "repetitive" in datacomp(home, *words)
    assert 0 < read_subset(home / "calm.npy").n < 6000
    assert list(read_lock(home / "calm.npy")["counts"]["dropped"]) == ["no_words", "repetitive"]


def test_the_tests_of_the_package_pass(home):
    python = home / "venv" / "bin" / "python"
    # Of the contract, which was tried above, a check that passes and one that does not apply.
    some = ("-k", "share or batch_size or odd_pictures")
    said = run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *some, cwd=home / "calm_words"
    )
    assert "5 passed, 1 skipped" in said


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("My-Filter", "cannot be the name"),
        ("2good", "cannot be the name"),
        ("class", "cannot be the name"),
        ("clip_score", r"there already, from datacomp .*clip_score:ClipScore"),
        ("numpy", "Python has a module named 'numpy'"),
    ],
)
def test_a_name_that_cannot_be_is_refused(tmp_path, name, facts):
    with pytest.raises(UsageError, match=facts):
        write_package(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_package("calm_words", tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        write_package("calm_words", tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_no_word_of_the_template_is_left(tmp_path):
    (tmp_path / "empty").mkdir()
    written = write_package("calm_words", tmp_path / "empty")
    assert Path("src/calm_words/calm_words.py") in written
    for path in written:
        text = (tmp_path / "empty" / path).read_text()
        assert not any(word in text for word in ("my_filter", "my-filter", "MyFilter", "0.0.0"))
