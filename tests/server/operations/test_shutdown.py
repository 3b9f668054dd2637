"""`datacomp serve` as a process: logs as JSON; on SIGTERM ends when requests on their way have."""

import json
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from support.processes import BOUND_SECONDS
from support.serving import address_of


@pytest.fixture
def process(tmp_path, make_database_url):
    """A service at `url`, its `log` so far, and the process."""
    log = tmp_path / "log"
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "datacomp", "serve", "--data", tmp_path, "--port", "0"],
            env={"PATH": "", "PYTHONPATH": ":".join(sys.path)}
            | {"DATACOMP_SERVER_DATABASE_URL": make_database_url(migrated=False)},
            stderr=errors,
        )
    try:
        yield running, address_of(log.read_text, lambda: running.poll() is None), log
    finally:
        running.kill()
        running.wait()


def test_a_request_on_its_way_is_answered_before_the_end(process):
    running, url, log = process
    sent, told = threading.Event(), threading.Event()

    def body():
        yield b"{"
        sent.set()
        told.wait(BOUND_SECONDS)
        yield b"}"

    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(
            httpx.post(f"{url}/api/v1/submissions", content=body(), timeout=BOUND_SECONDS)
        )
    )
    thread.start()
    sent.wait(BOUND_SECONDS)
    # Once this is answered, the service has begun with the one before.
    httpx.get(f"{url}/healthz", timeout=BOUND_SECONDS)
    running.send_signal(signal.SIGTERM)
    told.set()
    thread.join(BOUND_SECONDS)

    assert answers[0].status_code in (401, 422)
    assert running.wait(BOUND_SECONDS) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if "status" in line] == [answers[0].status_code]
    assert lines[-1]["level"] == "info"
