"""`datacomp admin gc`: counts, and removes only when it is told to."""

import pytest

from datacomp.cli.main import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path, database_of_environment):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["datacomp", "admin", "--data", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, capsys.readouterr().out

    return call


def test_it_only_counts_until_it_is_told_to_remove(run, tmp_path):
    stray = tmp_path / "uploads" / "01ARZ3NDEKTSV4RRFFQ69G5FAV.part"
    stray.parent.mkdir()
    stray.write_bytes(b"x")

    code, out = run("gc")
    assert (code, "1 stray" in out, stray.exists()) == (0, True, True)
    code, out = run("gc", "--execute")
    assert (code, "1 stray" in out, stray.exists()) == (0, True, False)
