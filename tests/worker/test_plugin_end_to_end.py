"""A plugin, from its team's hands to a subset: a service, the agent, a process, the sandbox.

What the sandbox keeps out is tested in test_sandbox.py, what a plugin may be in test_filter_job.py.
"""

import threading
import time

import pytest

from datacomp.client import Connection
from datacomp.client.uploads import upload_file
from datacomp.client.worker import Advert, WorkerClient
from datacomp.files import sha256_file
from datacomp.pool import open_pool
from datacomp.submission.manifest import DeclaredFile, Manifest
from datacomp.subset import read_subset
from datacomp.worker.agent import Agent
from datacomp.worker.cache import Cache
from datacomp.worker.executors import LocalExecutor
from datacomp.worker.machine import PLUGINS, Machine
from datacomp.worker.signing import Signer
from datacomp.worker.site import Site
from datacomp.worker.state import State
from datacomp_server import Settings, create_token, run_in_thread
from datacomp_server.identity.service import create_worker_token
from datacomp_server.running import opened
from support.plugins import SELECTION, wheel
from support.processes import BOUND_SECONDS

pytestmark = pytest.mark.usefixtures("default_sandbox")


@pytest.fixture
def running(tmp_path):
    """A service: its address, a team's token, a worker's."""
    settings = Settings(data_dir=tmp_path / "service")
    with run_in_thread(settings) as service:
        with opened(settings) as context, context.database.writing() as session:
            worker = create_worker_token(session, "w", moment=context.clock())
        yield service.url, create_token(settings, "Alpha"), worker


@pytest.fixture
def pool_id(plugin_pool):
    return open_pool(str(plugin_pool)).require_manifest().pool_id


@pytest.fixture
def work(tmp_path, running, plugin_pool, pool_id):
    """`work()`: an agent that takes plugins works until there is none; how its attempts ended."""

    def run():
        url, _, token = running
        state = State(tmp_path / "worker")
        with state.held(), Connection(url, token) as connection:
            client = WorkerClient(connection)
            site = Site(
                client=client,
                state=state,
                cache=Cache(state.cache, 10**9),
                executor=LocalExecutor(),
                machine=Machine((PLUGINS,), {pool_id: str(plugin_pool)}, "cpu"),
                signer=Signer(client, "w", state.key()),
                stopping=threading.Event(),
            )
            agent = Agent(site, Advert("w", (PLUGINS,), (pool_id,), {}), say=print, once=True)
            agent.run()
        return agent.ended

    return run


def hand_in(connection, paths, pool_id):
    """Submit a plugin; its job, once the service has checked the files."""
    files = tuple(
        DeclaredFile(role=role, sha256=sha256_file(path), size=path.stat().st_size)
        for role, path in paths.items()
    )
    declared = Manifest(kind="plugin", method="mine", scale="smoke", pool_id=pool_id, files=files)
    connection.read("create_submission", json=declared.as_json())
    for path in paths.values():
        upload_file(connection, path)
    deadline = time.monotonic() + BOUND_SECONDS
    while True:
        waiting = connection.read("get_queue")["waiting"]
        if found := [one["id"] for one in waiting if one["kind"] == "filter"]:
            return found[0]
        assert time.monotonic() < deadline, waiting
        time.sleep(0.05)


def test_an_honest_plugin_becomes_a_subset(tmp_path, running, pool_id, work):
    url, team, _ = running
    (tmp_path / "selection.yaml").write_text(SELECTION)
    paths = {"plugin": wheel(tmp_path / "w"), "selection": tmp_path / "selection.yaml"}
    with Connection(url, team) as connection:
        job_id = hand_in(connection, paths, pool_id)
        ended = work()
        job = connection.read("get_job", job_id=job_id)
        log = connection.read("get_job_log", job_id=job_id)["text"]
        outputs = {one["role"]: one for one in job["outputs"]}
        (tmp_path / "made.npy").write_bytes(
            connection.call("get_artifact", sha256=outputs["subset"]["sha256"]).content
        )

    assert ended == {"succeeded": 1}
    assert job["status"] == "succeeded"
    assert set(outputs) == {"subset", "lock"}
    assert outputs["subset"]["facts"]["attestation"]["key_id"]
    made = read_subset(tmp_path / "made.npy")
    assert (made.n, made.sha256) == (1, outputs["subset"]["facts"]["sha256"])
    assert "passed   no_network" in log
