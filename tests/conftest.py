"""What several areas' tests share: reports, the tiny suite's sets, a hub, and other processes."""

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from hypothesis import settings

from datacomp.reports import Report
from support import reports

pytest_plugins = ["support.databases"]

# A run that failed fails again, on any machine: the same examples each time, and no deadline.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """`make_report(suite="tiny", *, level, tasks, subset, created, model, **provenance)`.

    Every task answers about `level`; `tasks` replaces or adds results before the aggregates are
    computed; `subset` and `provenance` replace single fields. With `model`, a report of an
    open_clip model instead of a run, `model` replacing fields. Passes every check as it comes.
    """
    return reports.make_report


@pytest.fixture(scope="session")
def tiny_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny suite's evaluation sets, built once a test session.

    They lie as in a cache, whose root (for DATACOMP_CACHE) is `tiny_suite.parents[2]`.
    """
    from datacomp.evaluation.tiny_data import build_tiny_suite

    return build_tiny_suite(tmp_path_factory.mktemp("cache") / "suites" / "tiny")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Any

    def do_GET(self) -> None:
        self.owner.answer(self)

    do_HEAD = do_GET

    def send(
        self, body: bytes, status: int = 200, length: int | None = None, **headers: str
    ) -> None:
        """Send an answer; a `length` that is not the body's ends the connection."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if length is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def serve() -> Callable[[Any], AbstractContextManager[Any]]:
    """`serve(owner)`: an HTTP server on the loopback whose requests `owner.answer` gets.

    The owner's `url` is set; the request has `send(body, status, length, **headers)`.
    """

    @contextmanager
    def running(owner: Any) -> Iterator[Any]:
        handler = type("Handler", (_Handler,), {"owner": owner})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        owner.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield owner
        server.shutdown()
        server.server_close()

    return running


def _git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Hub:
    """Dataset repositories. Text files are kept as git keeps them, all others as large files.

    `cut` counts how often a file's body still breaks off, `wrong` how often other bytes of the
    right size come. `asked` lists the paths that were got.
    """

    commits: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    heads: dict[tuple[str, str], str] = field(default_factory=dict)
    url: str = ""
    cut: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)

    def commit(
        self,
        files: dict[str, bytes],
        repo: str = "mlfoundations/datacomp_small",
        branch: str = "main",
    ) -> str:
        """Add a commit, which becomes the newest of its branch, and give its hash."""
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.heads[repo, branch] = commit
        self.commits[repo, commit] = files
        return commit

    def answer(self, request: _Handler) -> None:
        path = urlparse(request.path).path
        if request.command == "GET":
            self.asked.append(path)
        _, *parts = path.removeprefix("/api").strip("/").split("/", 4)
        repo, what = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "revision"
        revision, *rest = (parts[3] if len(parts) > 3 else "main").split("/", 1)
        revision = unquote(revision)
        commit = self.heads.get((repo, revision), revision)
        files = self.commits.get((repo, commit))
        if files is None:
            request.send(b"{}", 404, X_Error_Code="RevisionNotFound")
        elif what == "resolve":
            self._file(request, files, commit, unquote(rest[0]))
        else:
            answer = self._tree(files) if what == "tree" else {"id": repo, "sha": commit}
            request.send(json.dumps(answer).encode(), Content_Type="application/json")

    def _tree(self, files: dict[str, bytes]) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": path, "size": len(data), "oid": _git_id(data)}
            | ({} if path.endswith(".txt") else {"lfs": self._large(data)})
            for path, data in files.items()
        ]

    def _large(self, data: bytes) -> dict[str, Any]:
        return {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}

    def _file(self, request: _Handler, files: dict[str, bytes], commit: str, path: str) -> None:
        data = files[path]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}
        if request.command == "GET" and self.wrong[path] > 0:
            self.wrong[path] -= 1
            request.send(bytes(len(data)), **headers)
        elif request.command == "GET" and self.cut[path] > 0:
            self.cut[path] -= 1
            request.send(data[: len(data) // 2], length=len(data), **headers)
        else:
            request.send(data, **headers)


@pytest.fixture
def hub(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[[Any], AbstractContextManager[Any]]
) -> Iterator[Hub]:
    """An empty hub, which HF_ENDPOINT names."""
    with serve(Hub()) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield running


# Bounds what hangs; nothing that works comes near it.
BOUND_SECONDS = 240
_MARK = "STARTED_BY_TESTS_OF"


class ForkServer:
    """tests/fork_server.py, and what was started through it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._children = folder, []
        self._server = subprocess.Popen(
            [sys.executable, "-W", "ignore", Path(__file__).with_name("fork_server.py")],
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def start(self, *words: Any, **environ: Any) -> "Child":
        log = self._folder / f"{len(self._children)}.log"
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
