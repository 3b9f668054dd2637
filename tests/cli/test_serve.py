"""`datacomp serve`: tokens from the command line, and the service as a process of its own."""

import re
import socket
import subprocess
import sys

import httpx
import pytest

from datacomp.cli.main import main


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["datacomp", "serve", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_a_token_is_printed_once_then_only_its_beginning(run, tmp_path):
    code, out, err = run("token", "create", "--team", "Alpha")
    token = out.strip()

    assert code == 0
    assert re.fullmatch(r"dcp_[0-9A-Za-z]{38}", token)
    assert "cannot be shown again" in err
    assert (tmp_path / "service" / "datacomp.sqlite").is_file()
    _, listed, _ = run("token", "list")
    assert token not in listed
    assert token[:10] in listed


def test_a_token_is_revoked_by_its_id(run):
    run("token", "create", "--team", "Alpha", "--data", "elsewhere")
    _, listed, _ = run("token", "list", "--data", "elsewhere")
    token_id = re.search(r"\b[0-9A-Z]{26}\b", listed).group()

    code, _, _ = run("token", "revoke", token_id, "--data", "elsewhere")

    assert code == 0
    assert "revoked" in run("token", "list", "--data", "elsewhere")[1]


def test_an_impossible_team_is_a_usage_error(run):
    code, _, err = run("token", "create", "--team", "a\u202eb")

    assert code == 2
    assert "U+202E" in err


def test_serves_until_it_is_told_to_stop(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "datacomp", "serve", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path / "data")], stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "startup complete" in line:
                break
        answer = httpx.get(f"http://127.0.0.1:{port}/")
        process.terminate()
        process.communicate(timeout=10)

    assert answer.status_code == 200
    assert f"http://127.0.0.1:{port}" in lines[0]
    assert str(tmp_path / "data") in lines[0]
