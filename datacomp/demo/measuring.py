"""A worker measures the demo's weights again, so that its board has ranks by evidence.

It is the agent of `datacomp worker`, in a thread: it claims over HTTP, and each evaluation is a
process of its own that has nothing but the weights. Only what nobody has measured yet is measured;
what a killed demo was at, the next one takes up.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from datacomp.client import Connection, RefusedError
from datacomp.client.submissions import level_of, request_level
from datacomp.client.worker import Advert, WorkerClient
from datacomp.demo.forking import ForkingExecutor
from datacomp.errors import ServiceError
from datacomp.pool.indexing import StartProgress
from datacomp.submission.levels import Level, parse_level
from datacomp.worker.agent import Agent
from datacomp.worker.cache import Cache
from datacomp.worker.machine import Machine
from datacomp.worker.signing import Signer
from datacomp.worker.site import Site
from datacomp.worker.state import State

WORKER = "demo"
LOG = "worker.log"
_LOOK_SECONDS = 0.5
_CACHE_BYTES = 2**30


def measure_again(
    connection: Connection,
    token: str,
    ids: Sequence[str],
    *,
    scale: str,
    folder: Path,
    progress: StartProgress,
) -> None:
    """Have the weights of every submission evaluated by a worker, unless one did so before.

    `connection` is the team's, `token` the worker's. State and log of the worker lie in `folder`.
    `ServiceError` if an evaluation fails for good, or contradicts what was reported.
    """
    left = [one for one in ids if not _is_measured(connection, one)]
    title, done = "evaluate again", len(ids) - len(left)
    with progress(title, len(ids), done=done, unit="runs") as bar:
        if not left:
            return
        for one in left:
            _request(connection, one)
        jobs = min(len(left), os.cpu_count() or 1)
        with _working(connection.url, token, scale, folder, jobs) as worker:
            while left:
                if worker.done():
                    worker.result()
                    raise ServiceError(f"the demo's worker ended too early; see {folder / LOG}")
                time.sleep(_LOOK_SECONDS)
                before, left = left, _unmeasured(connection, left, folder)
                bar.advance(len(before) - len(left), f"{len(left)} left")


def _request(connection: Connection, submission_id: str) -> None:
    """Plan the evaluation of a submission's weights, unless an earlier demo did."""
    try:
        request_level(connection, submission_id, Level.RE_EVALUATED.label)
    except RefusedError as error:
        if error.code != "already_planned":
            raise


def _is_measured(connection: Connection, submission_id: str) -> bool:
    return parse_level(level_of(connection, submission_id)).verified


def _unmeasured(connection: Connection, ids: Sequence[str], folder: Path) -> list[str]:
    """Those that are still to be measured, by jobs that wait or run."""
    queue = connection.read("get_queue")  # first: a job goes from it when the level is reached
    queued = {job["submission_id"] for job in (*queue["running"], *queue["waiting"])}
    left = [one for one in ids if not _is_measured(connection, one)]
    if stuck := [one for one in left if one not in queued]:
        raise ServiceError(
            f"submission {stuck[0]} was evaluated again, and its numbers do not stand: expected "
            f"the level {Level.RE_EVALUATED.label}, found {level_of(connection, stuck[0])!r}. "
            f"What the worker did: {folder / LOG}; what came of it: datacomp demo --serve, and "
            f"there /s/{stuck[0]}"
        )
    return left


@contextmanager
def _working(url: str, token: str, scale: str, folder: Path, jobs: int) -> Iterator["Future[None]"]:
    """A worker for as long as the context lasts; what it fetched is removed if all went well."""
    state = State(folder)
    with (
        state.held(),
        Connection(url, token) as connection,
        (folder / LOG).open("a", buffering=1) as log,
        ThreadPoolExecutor(1, "datacomp-worker") as thread,
    ):
        client, machine = WorkerClient(connection), Machine((scale,), {}, "cpu")
        site = Site(
            client=client,
            state=state,
            cache=Cache(state.cache, _CACHE_BYTES),
            executor=ForkingExecutor(jobs),
            machine=machine,
            signer=Signer(client, WORKER, state.key()),
            stopping=threading.Event(),
        )
        advert = Advert(WORKER, machine.classes, [], machine.facts("local"))
        agent = Agent(site, advert, say=partial(print, file=log), jobs=jobs)
        try:
            yield thread.submit(agent.run)
        finally:
            agent.stop()
    shutil.rmtree(state.cache, ignore_errors=True)
