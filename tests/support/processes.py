"""Python processes that start at once, in which torch is imported, and their meeting places."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.worlds import WORLDS

# Bounds what hangs; nothing that works comes near it.
BOUND_SECONDS = 240
_MARK = "STARTED_BY_TESTS_OF"
_SCRIPT = Path(__file__).parents[1] / "fork_server.py"


class ForkServer:
    """tests/fork_server.py, and what was started through it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._children = folder, []
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", _SCRIPT],
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, *words: Any, **environ: Any) -> "Child":
        log = self._folder / f"{len(self._children)}.log"
        log.touch()  # it may be read before the process has opened it
        texts = {key: str(value) for key, value in environ.items()} | {_MARK: str(self._folder)}
        order = {"words": [str(word) for word in words], "environ": texts, "log": str(log)}
        self._children.append(Child(self, self.ask(order)["pid"], log))
        return self._children[-1]

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        assert select.select([self._server.stdout], [], [], BOUND_SECONDS)[0], f"{order} hangs"
        return json.loads(self._server.stdout.readline())

    def end(self) -> None:
        for child in self._children:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        # What they started in sessions of its own, as torchrun does.
        mark = f"{_MARK}={self._folder}".encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environ.read_bytes().split(b"\0"):
                    os.kill(int(environ.parent.name), signal.SIGKILL)
        self._server.kill()
        self._server.communicate()


class Child:
    """A process as `python WORDS...` would be; wait for it once."""

    def __init__(self, server: ForkServer, pid: int, log: Path) -> None:
        self.pid, self._server, self._log = pid, server, log

    def wait(self) -> int:
        """Its exit code, or the negative number of the signal that killed it."""
        return int(self._server.ask({"pid": self.pid})["code"])

    def succeed(self) -> None:
        """Wait, and fail with what it said unless it ends with 0."""
        assert self.wait() == 0, self.told

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def is_alive(self) -> bool:
        """False as soon as it ended, also before anybody waited for it."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"

    @property
    def told(self) -> str:
        """What it wrote on stdout and stderr so far."""
        return self._log.read_text()


@pytest.fixture(scope="session")
def start_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Child]]:
    """`start_python(*words, **environ)` does what `python *words` does, where torch is imported.

    `words` are a script or `-m` and a module, and arguments. Whatever was started is killed at the
    end, and all that it started.
    """
    server = ForkServer(tmp_path_factory.mktemp("processes"))
    yield server.start
    server.end()


@pytest.fixture(scope="module")
def meet() -> Iterator[Callable[[], dict[str, str]]]:
    """`meet()` is the environment by which the processes of one group find each other.

    The place is held by this process, so that nobody else can take its port.
    """
    from torch.distributed import TCPStore

    stores = []

    def make() -> dict[str, str]:
        stores.append(TCPStore("127.0.0.1", 0, None, True))
        return {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(stores[-1].port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
            "GLOO_SOCKET_IFNAME": "lo",
        }

    yield make
    stores.clear()


@pytest.fixture(scope="module")
def run_worlds(
    tmp_path_factory: pytest.TempPathFactory,
    start_python: Callable[..., Child],
    meet: Callable[[], dict[str, str]],
) -> Callable[[Path], Path]:
    """`run_worlds(script)`: the folder in which a script of support.worlds left its numbers."""

    def run(script: Path) -> Path:
        folder = tmp_path_factory.mktemp("worlds")
        places = [meet() for _ in WORLDS]
        ports = [place["MASTER_PORT"] for place in places]
        start_python(script, folder, *ports, **places[0]).succeed()
        return folder

    return run
