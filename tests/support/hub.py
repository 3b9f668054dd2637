"""An HTTP server of the tests' own, and a hub of data sets that it can be."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

import pytest


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
