"""`datacomp admin board rule`: what may be, what would move, and putting it in force."""

import pytest

from datacomp.cli.main import main
from datacomp_server import Settings, create_token


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """`run(*words)`: stdout of `datacomp admin board`, or (code, stderr) if it fails."""
    monkeypatch.chdir(tmp_path)
    create_token(Settings(data_dir=tmp_path / "service"), "Alpha")

    def call(*words):
        monkeypatch.setattr("sys.argv", ["datacomp", "admin", "--data", "service", "board", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        return out if not caught.value.code else (caught.value.code, err)

    return call


def test_a_rule_is_in_force_only_with_execute(run):
    before = run("rule", "tiny")
    assert "official/2  in force" in before
    assert "robust/1  never used" in before

    assert "moves none of 0 ranks" in run("rule", "tiny", "robust/1")
    assert run("rule", "tiny") == before
    assert "ranks by robust/1" in run("rule", "tiny", "robust/1", "--execute")
    assert "robust/1  in force" in run("rule", "tiny")
    assert "official/2  was put in force" in run("rule", "tiny")


def test_what_cannot_be(run):
    code, told = run("rule", "tiny", "robust/9")
    assert (code, "robust/1" in told) == (1, True)
    code, told = run("rule", "tiny", "official/2", "--execute")
    assert (code, "already" in told) == (2, True)
    code, told = run("rule", "tiny", "robust/1", "--track", "byod")
    assert (code, "datacomp admin board open" in told) == (2, True)
