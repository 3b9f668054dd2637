"""`datacomp serve`: the service as a process of its own."""

import re
import subprocess
import sys

import httpx

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
