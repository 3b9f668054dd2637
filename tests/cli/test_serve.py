"""`datacomp serve`: the service as a process of its own."""

import re
import subprocess
import sys

import httpx
import pytest

from datacomp.cli.main import main
from datacomp_server import Settings, create_token
from support.processes import BOUND_SECONDS


def test_serves_until_it_is_told_to_stop(tmp_path):
    command = [sys.executable, "-m", "datacomp", "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path / "data")], stderr=subprocess.PIPE, text=True
    ) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "startup complete" in line:
                break
        url = re.search(r"http://127\.0\.0\.1:\d+", lines[0])[0]
        answer = httpx.get(f"{url}/", timeout=BOUND_SECONDS)
        process.terminate()
        process.communicate(timeout=BOUND_SECONDS)

    assert answer.status_code == 200
    assert str(tmp_path / "data") in lines[0]


def test_a_service_with_a_team_is_not_filled(tmp_path, monkeypatch, capsys):
    create_token(Settings(data_dir=tmp_path), "Alpha")
    monkeypatch.setattr("sys.argv", ["datacomp", "serve", "--showcase", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert str(tmp_path) in error
    assert "1 in team" in error
