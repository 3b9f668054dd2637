"""An agent without a service, and sandboxes for the tests of foreign code.

Without one of the sandboxes the latter fail, never skip.
"""

import io
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.client.worker import Advert
from datacomp.pool import index_pool
from datacomp.worker import agent as agents
from datacomp.worker import attempt as attempts
from datacomp.worker.agent import Agent
from datacomp.worker.cache import Cache
from datacomp.worker.machine import Machine
from datacomp.worker.sandbox import Limits, Outcome, Work, bubblewrap, run, runc
from datacomp.worker.signing import Signer
from datacomp.worker.site import Site
from datacomp.worker.state import State
from support.processes import BOUND_SECONDS
from support.workers import Executor

MIB = 2**20
SMALL = {
    "wall_seconds": BOUND_SECONDS,
    "memory_bytes": 256 * MIB,
    "scratch_bytes": 16 * MIB,
    "processes": 32,
    "output_bytes": MIB,
    "log_bytes": 2**16,
}


@dataclass(frozen=True)
class Ran:
    """How code ended in the sandbox, what it printed, and what it gave out."""

    outcome: Outcome
    log: str
    output: bytes

    @property
    def lines(self) -> list[str]:
        return self.log.splitlines()


def _there(sandbox: Any) -> Any:
    if why := sandbox.missing():
        pytest.fail(f"the tests of plugins need both kinds of sandbox: {why}")
    return sandbox


@pytest.fixture(scope="session", params=[bubblewrap, runc], ids=["bubblewrap", "runc"])
def sandbox(request: pytest.FixtureRequest) -> Any:
    """Each kind of sandbox."""
    return _there(request.param)


@pytest.fixture(scope="session")
def default_sandbox() -> None:
    """What the machine needs to run plugins."""
    _there(bubblewrap)


@pytest.fixture
def in_sandbox(tmp_path: Path, sandbox: Any) -> Callable[..., Ran]:
    """`in_sandbox(code, binds=..., look=..., **limits)` runs Python code there."""

    def ran(
        code: str, binds: Mapping[str, Path] | None = None, look: Any = None, **limits: Any
    ) -> Ran:
        log, output = io.BytesIO(), tmp_path / "output"
        work = Work(
            [sys.executable, "-I", "-S", "-c", code], Limits(**(SMALL | limits)), binds or {}
        )
        outcome = run(work, log=log, output=output, look=look, sandbox=sandbox)
        return Ran(outcome, log.getvalue().decode(), output.read_bytes())

    return ran


@pytest.fixture(scope="session")
def running() -> Callable[[str], list[int]]:
    """`running(marker)`: processes whose command line holds a text."""

    def found(marker: str) -> list[int]:
        pids = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                    pids.append(int(folder.name))
        return pids

    return found


@pytest.fixture
def plugin_pool(tmp_path: Path) -> Path:
    """Four rows in two parts, and what their builder planted."""
    folder = tmp_path / "pool"
    captions = [["a dog", "dog dog dog"], ["", "cat cat"]]
    for name in ("metadata", "truth"):
        (folder / name).mkdir(parents=True)
    for number, texts in enumerate(captions):
        uids = [f"{2 * number + row + 1:032x}" for row in range(2)]
        pq.write_table(
            pa.table({"uid": uids, "text": texts}), folder / "metadata" / f"{number}.parquet"
        )
    (folder / "truth" / "0.parquet").write_bytes(b"planted")
    index_pool(str(folder))
    return folder


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(agents, "FIRST_REST_SECONDS", 0.001)


@pytest.fixture
def make_agent(tmp_path, no_waiting):
    """`make_agent(service, task)`: an agent that ends when there is no job; `said` has its lines.

    A second one on the same folder is the first one started again.
    """

    def make(service, task, **values):
        state = State(tmp_path / "worker")
        state.root.mkdir(exist_ok=True)
        executor = task if isinstance(task, Executor) else Executor(task)
        site = Site(
            client=service,
            state=state,
            cache=Cache(state.cache, 10**9),
            executor=executor,
            machine=Machine(("tiny",), {"p": "/pools/p"}, "cpu"),
            signer=Signer(service, "w", state.key()),
            stopping=threading.Event(),
        )
        said = []
        advert = Advert("w", ("tiny",), ("p",), {})
        made = Agent(site, advert, said.append, **{"once": True} | values)
        made.said, made.executor = said, executor
        return made

    return make


@pytest.fixture
def in_thread():
    """`in_thread(agent)` runs it beside the test, which ends it."""
    started = []

    def start(agent):
        thread = threading.Thread(target=agent.run)
        thread.start()
        started.append((agent, thread))
        return thread

    yield start
    for agent, thread in started:
        agent.stop()
        thread.join(BOUND_SECONDS)
        assert not thread.is_alive()
