"""A web that misbehaves, a real HTTP server on the loopback; the hub is in support/hub.py."""

import hashlib
import io
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.pool.schema import SCHEMA

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


@dataclass
class Web:
    """Pictures at /KIND/NUMBER.jpg; the kind says what happens. `asked` counts requests by path.

    `held` is set when somebody asks for a held picture, which comes when `gate` is set.
    """

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Any) -> None:
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


Serve = Callable[[Any], AbstractContextManager[Any]]


@pytest.fixture
def web(serve: Serve) -> Iterator[Web]:
    """The web that misbehaves."""
    yield from _running(serve)


@pytest.fixture(scope="module")
def shared_web(serve: Serve) -> Iterator[Web]:
    """The same, for the tests of a module that look at one download."""
    yield from _running(serve)


def _running(serve: Serve) -> Iterator[Web]:
    with serve(Web()) as web:
        yield web
        web.gate.set()


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
