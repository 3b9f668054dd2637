"""Uploads by the client: cut anywhere, they go on; refused, they say why; nothing is sent twice."""

import hashlib

import httpx
import pytest

from datacomp.client import Connection, RefusedError, UnauthorisedError, uploads
from datacomp.client.uploads import upload_file
from datacomp.errors import ServiceError, UsageError
from datacomp_server import create_token, run_in_thread

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(scope="module")
def running(make_module_settings):
    settings = make_module_settings(team_quota_bytes=2**21)
    with run_in_thread(settings) as service:
        yield service, settings


class Weather(httpx.BaseTransport):
    """Passes requests on; of bodies only the next of `bytes_until_cut`, then the line is cut."""

    def __init__(self, *bytes_until_cut):
        self.cuts, self.sent = list(bytes_until_cut), 0
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request):
        if request.method != "PATCH" or not self.cuts:
            return self._passed_on(request, request.stream)
        limit = self.cuts.pop(0)
        if limit is not None:
            self._passed_on(request, b"".join(request.stream)[:limit]).read()
        raise httpx.WriteError("cut")

    def close(self):
        self.inner.close()

    def _passed_on(self, request, body):
        content = body if isinstance(body, bytes) else b"".join(body)
        self.sent += len(content) if request.method == "PATCH" else 0
        headers = {k: v for k, v in request.headers.items() if k != "transfer-encoding"}
        headers["Content-Length"] = str(len(content))
        return self.inner.handle_request(
            httpx.Request(request.method, request.url, headers=headers, content=content)
        )


@pytest.fixture
def path(tmp_path):
    (tmp_path / "file").write_bytes(DATA)
    return tmp_path / "file"


@pytest.fixture
def connect(running, request):
    service, settings = running
    token = create_token(settings, request.node.name)
    opened = []

    def connect(*cuts, token=token):
        opened.append(Connection(service.url, token, transport=Weather(*cuts)))
        return opened[-1], opened[-1]._http._transport

    yield connect
    for connection in opened:
        connection.close()


def test_a_file_is_sent_once(connect, path):
    connection, weather = connect()
    told = []

    assert upload_file(connection, path, progress=told.append) == SHA256
    assert upload_file(connection, path, sha256=SHA256) == SHA256
    assert weather.sent == len(DATA)
    assert told[-1] == len(DATA)
    assert connection.call("get_artifact", sha256=SHA256).content == DATA


def test_it_goes_on_after_every_cut(connect, path, monkeypatch):
    monkeypatch.setattr(uploads, "SLICE_BYTES", 300_000)
    connection, weather = connect(100_000, None, 0, 7)
    pauses = []

    upload_file(connection, path, pause=pauses.append)

    assert weather.sent == len(DATA)
    assert pauses == [1, 1, 2, 4]


def test_it_gives_up_in_the_end(connect, path):
    connection, _ = connect(*[None] * 100)
    pauses = []

    with pytest.raises(ServiceError, match="cut"):
        upload_file(connection, path, pause=pauses.append)
    assert pauses[-1] == 30


def test_an_upload_that_was_dropped_begins_anew(connect, path):
    connection, weather = connect(100_000)

    def drop(_seconds):
        opened = connection.read("create_upload", json={"sha256": SHA256, "size": len(DATA)})
        connection.call("drop_upload", upload_id=opened["id"])

    assert upload_file(connection, path, pause=drop) == SHA256
    assert weather.sent == len(DATA) + 100_000


def never(_seconds):
    raise AssertionError("waited for what cannot get better")


def test_what_is_refused_is_not_tried_again(connect, path):
    connection, _ = connect()
    with pytest.raises(RefusedError, match="sha256") as caught:
        upload_file(connection, path, sha256="0" * 64, pause=never)
    assert caught.value.code == "bad_hash"

    path.write_bytes(bytes(2**22))
    with pytest.raises(RefusedError, match="quota"):
        upload_file(connection, path, pause=never)
    with pytest.raises(UnauthorisedError):
        upload_file(connect(token="dcp_wrong")[0], path, pause=never)


def test_a_file_that_is_none(connect, path):
    connection, _ = connect(100_000)

    with pytest.raises(UsageError, match="changed"):
        upload_file(connection, path, pause=lambda _: path.write_bytes(b"short"))
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="empty"):
        upload_file(connection, path, pause=never)
