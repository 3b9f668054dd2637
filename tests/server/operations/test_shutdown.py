"""`datacomp serve` as a process: logs as JSON; on SIGTERM ends when requests on their way have."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

BOUND_SECONDS = 60


@pytest.fixture
def process(tmp_path, make_database_url):
    """A service at `url`, its `log` so far, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("wb") as errors:
        running = subprocess.Popen(
            [sys.executable, "-m", "datacomp", "serve", "--data", tmp_path, "--port", str(port)],
            env={"PATH": "", "PYTHONPATH": ":".join(sys.path)}
            | {"DATACOMP_SERVER_DATABASE_URL": make_database_url(migrated=False)},
            stderr=errors,
        )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + BOUND_SECONDS
    try:
        while True:
            try:
                httpx.get(f"{url}/healthz").raise_for_status()
                break
            except httpx.TransportError:
                assert running.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield running, url, log
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
        target=lambda: answers.append(httpx.post(f"{url}/api/v1/submissions", content=body()))
    )
    thread.start()
    sent.wait(BOUND_SECONDS)
    httpx.get(f"{url}/healthz")  # by now the service has begun with the one before
    running.send_signal(signal.SIGTERM)
    told.set()
    thread.join(BOUND_SECONDS)

    assert answers[0].status_code in (401, 422)
    assert running.wait(BOUND_SECONDS) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [line["status"] for line in lines if "status" in line] == [answers[0].status_code]
    assert lines[-1]["level"] == "info"
