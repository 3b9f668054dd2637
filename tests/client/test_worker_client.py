"""The worker's side of the API against answers that no service of ours gives."""

import gzip
import json

import httpx
import pytest

from datacomp.client import Connection, connection
from datacomp.client.uploads import FRUITLESS_TRIES, upload_file
from datacomp.client.worker import Advert, Finish, Idle, Lease, WorkerClient, is_transient
from datacomp.errors import ServiceError
from support.workers import lease

ADVERT = Advert("w", ("tiny",), (), {})
LEASE = "L" * 26


def client(status=200, **content):
    return WorkerClient(connected(lambda request: httpx.Response(status, **content)))


class Body(httpx.SyncByteStream):
    """Comes in pieces, to every request anew."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)


def connected(handler):
    return Connection("http://service.test", transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    "wrong",
    [
        {"job_id": "../../etc"},
        {"lease_id": "/tmp/x"},
        {"lease_id": 7},
        {"kind": "\x1b[2J"},
        {"resource": "a/b"},
        {"pool_id": ["p"]},
        {"beat_seconds": 0},
        {"beat_seconds": "soon"},
        {"max_log_bytes": -1},
        {"params": []},
        {"inputs": {"../subset": {"sha256": "0" * 64, "size": 1}}},
        {"inputs": {"subset": {"sha256": "../" * 21 + "x", "size": 1}}},
        {"inputs": {"subset": {"sha256": "0" * 64, "size": -1}}},
        {"inputs": {"subset": {"sha256": "0" * 64}}},
        {"inputs": {f"r{n}": {"sha256": "0" * 64, "size": 1} for n in range(100)}},
    ],
)
def test_a_lease_is_taken_only_if_every_name_in_it_is_one(wrong):
    good = lease().as_json()
    assert Lease.of(good) == lease()

    with pytest.raises(ServiceError, match="no lease"):
        client(json=good | wrong).claim(ADVERT)


def test_a_lease_that_lacks_something_is_none():
    good = lease().as_json()
    for name in good:
        with pytest.raises(ServiceError, match=name):
            Lease.of({key: value for key, value in good.items() if key != name})


@pytest.mark.parametrize(
    ("asked", "waits"), [("7", 7), ("0", 1), ("-3", 10), ("soon", 10), ("9" * 30, 600), (None, 10)]
)
def test_a_wait_is_bounded_whatever_is_asked_for(asked, waits):
    headers = {} if asked is None else {"Retry-After": asked}

    assert client(204, headers=headers).claim(ADVERT) == Idle(waits)


@pytest.mark.parametrize(
    "content",
    [
        {"content": b"<html>Sign in to this network</html>"},
        {"content": b"[" * 100_000},
        {"stream": Body(b"no gzip"), "headers": {"Content-Encoding": "gzip"}},
        {"json": {}},
        {"json": {"cancel": "no", "next_offset": "1", "status": 5, "id": None}},
    ],
)
@pytest.mark.parametrize("status", [200, 401, 404, 409, 422, 503])
def test_an_answer_in_another_form_is_an_error_of_the_service(content, status):
    asked = client(status, **content)
    calls = [
        lambda: asked.claim(ADVERT),
        lambda: asked.beat(LEASE, None),
        lambda: asked.log(LEASE, 0, b"x"),
        lambda: asked.finish(LEASE, Finish("released")),
        lambda: asked.register_key("w", "0" * 64, "0" * 128),
    ]
    for call in calls:
        with pytest.raises(ServiceError):
            call()


def test_findings_in_another_form_are_left_out():
    for findings in ("x", [None, 3, {}], {"a": 1}):
        with pytest.raises(ServiceError, match="because"):
            client(422, json={"detail": "because", "findings": findings}).claim(ADVERT)


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(connection, "MAX_ANSWER_BYTES", 1000)
    text = json.dumps({"cancel": False, "more": "x" * 10_000}).encode()
    for headers, body in [({}, text), ({"Content-Encoding": "gzip"}, gzip.compress(text))]:
        with pytest.raises(ServiceError, match="1,000 bytes"):
            client(content=body, headers=headers).beat(LEASE, None)


@pytest.mark.parametrize("status", [502, 503, 504, 429, 408])
def test_what_may_pass_is_asked_again(status):
    with pytest.raises(ServiceError) as error:
        client(status, content=b"<html>").beat(LEASE, None)

    assert is_transient(error.value)


def test_an_input_is_not_written_beyond_its_size(tmp_path):
    path = tmp_path / "input"
    served = client(content=(b"x" * 1000 for _ in range(10**9)))
    served.fetch(LEASE, "subset", path, 5000)

    assert path.stat().st_size == 5001


def test_an_input_is_fetched_from_where_it_was(tmp_path):
    path, asked = tmp_path / "input", []
    path.write_bytes(b"01234")

    def answer(request):
        asked.append(request.headers.get("range"))
        return httpx.Response(206, content=iter([b"567", b"89"]))

    fetch = WorkerClient(connected(answer)).fetch
    fetch(LEASE, "subset", path, 10)
    fetch(LEASE, "subset", path, 10)

    assert path.read_bytes() == b"0123456789"
    assert asked == ["bytes=5-"]


def test_compressed_bytes_are_no_input(tmp_path):
    path, sent = tmp_path / "input", gzip.compress(b"0" * 10**6)
    served = client(content=iter([sent]), headers={"Content-Encoding": "gzip"})
    served.fetch(LEASE, "subset", path, 9999)

    assert path.read_bytes() == sent


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "U" * 26, "received": 0, "complete": False},
        {"id": "U" * 26, "received": -5, "complete": False},
        {"id": "U" * 26, "received": "7", "complete": False},
        {"complete": "soon"},
        {},
    ],
)
def test_an_upload_that_gets_nowhere_is_given_up(tmp_path, answer):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    pauses = []
    served = connected(lambda request: request.read() and httpx.Response(200, json=answer))
    with pytest.raises(ServiceError):
        upload_file(served, tmp_path / "file", pause=pauses.append)

    assert len(pauses) <= FRUITLESS_TRIES


def test_a_wait_before_another_try_is_bounded_too(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    pauses, answer = [], {"headers": {"Retry-After": "9" * 400}, "json": {"detail": "busy"}}
    busy = connected(lambda request: httpx.Response(429, **answer))
    with pytest.raises(ServiceError):
        upload_file(busy, tmp_path / "file", pause=pauses.append)

    assert set(pauses) == {600}
