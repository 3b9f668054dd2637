"""A web that misbehaves and a hub that can be told to, both real HTTP servers on the loopback."""

import hashlib
import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.pool.schema import SCHEMA

REPO = "mlfoundations/datacomp_small"
STALL_AT_MOST_SECONDS = 15


def _picture(number: int) -> bytes:
    """A JPEG of 64 x 48 that nobody could take for another number's."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((64, 48), Image.Resampling.NEAREST).save(buffer, "JPEG")
    return buffer.getvalue()


def _uid_of(number: int) -> str:
    """A uid that looks random and is the same in every run."""
    return hashlib.sha256(f"row {number}".encode()).hexdigest()[:32]


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


def _serve(owner: Any) -> tuple[_Server, str]:
    handler = type("Handler", (_Handler,), {"owner": owner})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


@dataclass
class Web:
    """Pictures at /KIND/NUMBER.jpg; the kind says what happens. `asked` counts requests by path.

    `held` is set when somebody asks for a held picture, which comes when `gate` is set.
    """

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: _Handler) -> None:
        self.asked[request.path] += 1
        kind, name = request.path.strip("/").split("/")
        body = _picture(int(name.split(".")[0]))
        match kind:
            case "ok" | "changed":
                request.send(body, Content_Type="image/jpeg")
            case "wrong-type":
                request.send(body, Content_Type="text/plain")
            case "gone":
                request.send(b"no", 404)
            case "error":
                request.send(b"no", 500)
            case "moved":
                request.send(b"", 302, Location=f"/ok/{name}")
            case "loop":
                request.send(b"", 302, Location=request.path)
            case "cut":
                request.send(body[: len(body) // 2], length=len(body))
            case "page":
                request.send(b"<html>buy this domain</html>", Content_Type="image/jpeg")
            case "noai":
                request.send(body, X_Robots_Tag="noai")
            case "held":
                self.held.set()
                self.gate.wait(STALL_AT_MOST_SECONDS)
                request.send(body)
            case "slow":
                self._stall(request.connection)
                request.close_connection = True

    @staticmethod
    def _stall(connection: socket.socket) -> None:
        """Until the client gives up, which ends its side of the connection."""
        connection.settimeout(STALL_AT_MOST_SECONDS)
        try:
            connection.recv(1)
        except OSError:
            return


@dataclass
class Hub:
    """One dataset repository. `commits` maps a commit to its files; `main` names the newest one.

    `cut` counts how often a file's body still breaks off, `wrong` how often other bytes of the
    right size come.
    """

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    main: str = ""
    url: str = ""
    cut: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    asked: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a commit, which becomes the newest, and give its hash."""
        self.main = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[self.main] = files
        return self.main

    def answer(self, request: _Handler) -> None:
        path = urlparse(request.path).path
        if request.command == "GET":
            self.asked.append(path)
        if path.startswith(f"/api/datasets/{REPO}/tree/"):
            self._tree(request, path.rsplit("/", 1)[-1])
        elif path.startswith(f"/api/datasets/{REPO}"):
            self._info(request, path.rpartition("/revision/")[2])
        else:
            self._resolve(request, *path.removeprefix(f"/datasets/{REPO}/resolve/").split("/", 1))

    def _known(self, request: _Handler, revision: str) -> str | None:
        commit = self.main if revision == "main" or "/" in revision else revision
        if commit in self.commits:
            return commit
        request.send(b"{}", 404, X_Error_Code="RevisionNotFound")
        return None

    def _info(self, request: _Handler, revision: str) -> None:
        if commit := self._known(request, revision):
            request.send(json.dumps({"id": REPO, "sha": commit, "siblings": []}).encode())

    def _tree(self, request: _Handler, revision: str) -> None:
        if commit := self._known(request, revision):
            entries = [
                {
                    "type": "file",
                    "path": path,
                    "size": len(data),
                    "oid": hashlib.sha1(data).hexdigest(),
                    "lfs": {
                        "oid": hashlib.sha256(data).hexdigest(),
                        "size": len(data),
                        "pointerSize": 134,
                    },
                }
                for path, data in self.commits[commit].items()
            ]
            request.send(json.dumps(entries).encode(), Content_Type="application/json")

    def _resolve(self, request: _Handler, revision: str, path: str) -> None:
        if (commit := self._known(request, revision)) is None:
            return
        data = self.commits[commit][path]
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
def web() -> Iterator[Web]:
    """The web that misbehaves."""
    yield from _running(Web())


@pytest.fixture(scope="module")
def shared_web() -> Iterator[Web]:
    """The same, for the tests of a module that look at one download."""
    yield from _running(Web())


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """An empty hub, which HF_ENDPOINT names."""
    for running in _running(Hub()):
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield running


def _running(owner: Any) -> Iterator[Any]:
    server, owner.url = _serve(owner)
    yield owner
    if isinstance(owner, Web):
        owner.gate.set()
    server.shutdown()
    server.server_close()


Rows = Sequence[tuple[str, int]]


def metadata_table(url: str, rows: Rows, **columns: Any) -> pa.Table:
    """Metadata of pictures (kind, number); `changed` ones have the sha256 of another picture."""
    table = {
        "uid": [_uid_of(number) for _, number in rows],
        "url": [f"{url}/{kind}/{number}.jpg" for kind, number in rows],
        "text": [f"picture {number}" for _, number in rows],
        "original_width": [64] * len(rows),
        "original_height": [48] * len(rows),
        "clip_b32_similarity_score": [0.1 + number / 1000 for _, number in rows],
        "clip_l14_similarity_score": [0.2 + number / 1000 for _, number in rows],
        "face_bboxes": [[] for _ in rows],
        "sha256": [
            hashlib.sha256(_picture(number + 1000 * (kind == "changed"))).hexdigest()
            for kind, number in rows
        ],
    }
    return pa.table(table | columns, schema=SCHEMA.remove_metadata())


def parquet(table: pa.Table) -> bytes:
    """The bytes of a Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=7)
    return out.getvalue()


@pytest.fixture(scope="session")
def picture() -> Callable[[int], bytes]:
    """`picture(number)`: the JPEG that the web serves under a number."""
    return _picture


@pytest.fixture(scope="session")
def uid_of() -> Callable[[int], str]:
    """`uid_of(number)`: the uid of a picture's row."""
    return _uid_of


@pytest.fixture(scope="session")
def table_bytes() -> Callable[..., bytes]:
    """`table_bytes(url, rows, **columns)`: a metadata file's bytes."""
    return lambda url, rows, **columns: parquet(metadata_table(url, rows, **columns))


WriteMetadata = Callable[..., Path]


@pytest.fixture
def write_metadata(tmp_path: Path) -> WriteMetadata:
    """`write_metadata(url, rows, **columns)` writes a file into a folder, and gives the folder."""

    def write(url: str, rows: Rows, **columns: Any) -> Path:
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        (folder / "part.parquet").write_bytes(parquet(metadata_table(url, rows, **columns)))
        return folder

    return write
