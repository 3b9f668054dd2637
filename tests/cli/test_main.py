"""The command line as a whole: what it lists, what it imports, how errors and exit codes look."""

import subprocess
import sys
from pathlib import Path

import pytest

from datacomp.cli.main import COMMANDS

HEAVY = ("torch", "open_clip", "fastapi", "sqlalchemy", "pyarrow", "numpy", "datacomp_server")


def run(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datacomp", *args], capture_output=True, text=True, cwd=cwd
    )


def imported_by(code: str) -> set[str]:
    """Names of the heavy packages that running `code` brings in."""
    probe = f"import sys\n{code}\nprint([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(eval(result.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy() -> None:
    help_text = (
        "from datacomp.cli.main import main\n"
        "sys.argv = ['datacomp', '--help']\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert imported_by(help_text) == set()


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert imported_by("import datacomp") == set()


def test_libraries_do_not_import_torch() -> None:
    code = "import datacomp.training, datacomp.evaluation, datacomp.filtering, datacomp.reports"
    assert not {"torch", "open_clip", "fastapi"} & imported_by(code)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = run(*name.split(), "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.stdout, "an option's name is cut at 80 columns"


def test_an_unknown_command_names_the_nearest_and_exits_2() -> None:
    result = run("fliter")
    assert result.returncode == 2
    assert "Did you mean 'filter'" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_error_is_one_line_and_exits_1(tmp_path: Path) -> None:
    result = run("train", "--scale", "medium", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: no pool at {tmp_path}/pools/medium")
    assert result.stderr.count("\n") == 1


def test_the_workspace_file_gives_defaults(tmp_path: Path) -> None:
    (tmp_path / "datacomp.toml").write_text('scale = "small"\npool = "elsewhere"\n')
    (tmp_path / "inside").mkdir()
    result = run("train", cwd=tmp_path / "inside")
    assert result.stderr.startswith(f"error: no pool at {tmp_path}/elsewhere")


def test_a_workspace_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "datacomp.toml").write_text('pol = "x"\n')
    result = run("train", cwd=tmp_path)
    assert result.returncode == 2
    assert "unknown key 'pol'" in result.stderr
