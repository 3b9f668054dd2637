"""From reported to re-trained: `datacomp serve` and `datacomp worker` as processes, on one machine.

A smoke run, trained and evaluated as a participant would, is handed in with its subset. Nothing in
here reaches into the service: all goes through its API and the command line.
"""

import json
import time

import httpx
import pytest

from datacomp.client import Connection
from datacomp.client.uploads import upload_file
from datacomp.errors import ServiceError
from datacomp.files import sha256_file
from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.submission.manifest import DeclaredFile, Manifest
from datacomp.subset import sample, write_subset
from datacomp.training import whole_pool
from datacomp_server import Settings, create_token
from datacomp_server.identity.service import create_worker_token
from datacomp_server.running import opened
from support.processes import BOUND_SECONDS
from support.serving import address_of


def until(call, found):
    """What `call()` gives once `found` says so of it; a service that starts may be away."""
    deadline = time.monotonic() + BOUND_SECONDS
    while True:
        try:
            if found(value := call()):
                return value
        except ServiceError:
            value = None
        assert time.monotonic() < deadline, value
        time.sleep(0.05)


@pytest.fixture(scope="session")
def made(tmp_path_factory, start_python, tiny_suite):
    """A folder with a pool, a subset of it, and a run on that with its report."""
    folder = tmp_path_factory.mktemp("participant")
    build_tiny(folder / "pool", TinyConfig(rows=300, seed=3))
    subset = sample(whole_pool(open_pool(str(folder / "pool"))), n=200, seed=1)
    write_subset(subset, folder / "mine.npy", {})
    words = ("--scale", "smoke", "--pool", folder / "pool", "--subset", folder / "mine.npy")
    run = folder / "run"
    start_python("-m", "datacomp", "train", *words, "--output-dir", run).succeed()
    cache = {"DATACOMP_CACHE": tiny_suite.parents[2]}
    start_python("-m", "datacomp", "evaluate", run, **cache).succeed()
    return folder


@pytest.fixture
def served(tmp_path, make_database_url, start_python):
    """A service in a process: its address and settings."""
    url = make_database_url()
    settings = Settings(data_dir=tmp_path / "service", database_url=url)
    words = ("serve", "--port", 0, "--data", settings.data_dir)
    service = start_python("-m", "datacomp", *words, DATACOMP_SERVER_DATABASE_URL=url)
    return address_of(lambda: service.told, service.is_alive), settings


def hand_in(connection, folder):
    """Submit the report with its subset; the submission's id once it is accepted."""
    report = json.loads((folder / "run/evaluation/tiny/report.json").read_text())
    path = folder / "mine.npy"
    size, sha256 = path.stat().st_size, sha256_file(path)
    file = DeclaredFile(role="subset", sha256=sha256, size=size)
    manifest = Manifest(method="mine", report=report, files=(file,))
    found = connection.read("create_submission", json=manifest.as_json())
    upload_file(connection, path, sha256=sha256)
    until(
        lambda: connection.read("get_submission", submission_id=found["id"]),
        lambda one: one["state"] == "accepted",
    )
    return found["id"]


def test_from_reported_to_re_trained(made, served, start_python, tmp_path, tiny_suite):
    address, settings = served
    team = create_token(settings, "Alpha")
    with opened(settings) as context, context.database.writing() as session:
        token = create_worker_token(session, "w1", moment=context.clock())
    with Connection(address, team) as connection:
        submission = hand_in(connection, made)

        def standing():
            return connection.read("get_evidence", submission_id=submission)

        assert standing()["level"] == "reported"
        asked = {"level": "re-trained"}
        connection.call("request_verification", submission_id=submission, json=asked)
        able = ("--pool", made / "pool", "--classes", "smoke", "--device", "cpu")
        words = ("--url", address, "--name", "w1", "--state", tmp_path / "worker", *able)
        worker = start_python(
            *("-m", "datacomp", "worker", "--once", *words),
            DATACOMP_TOKEN=token,
            DATACOMP_CACHE=tiny_suite.parents[2],
        )
        worker.succeed()
        found = until(standing, lambda one: one["level"] != "reported")
        page = httpx.get(f"{address}/s/{submission}").text

    assert found["level"] == "re-trained"
    assert "measured by a worker that trained on it" in page
    assert not found["capped"]
    training = next(one for one in found["evidence"] if one["kind"] == "training")
    assert training["worker"] == "w1"
    assert training["key_id"] is not None
    assert training["facts"]["compared"]["largest"] == 0.0
    assert all(len(line) <= 80 for line in worker.told.splitlines() if "/" not in line)
