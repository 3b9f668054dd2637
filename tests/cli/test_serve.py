"""`datacomp serve`: the service as a process of its own."""

import socket
import subprocess
import sys

import httpx


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
