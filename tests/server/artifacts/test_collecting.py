"""Collecting: what rests or is named by nothing goes; everything else stays."""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.artifacts.collecting import Collection, collect

BYTES = {"Content-Type": "application/octet-stream"}

DATA = b"content " * 100
SHA256 = hashlib.sha256(DATA).hexdigest()


@dataclass
class Clock:
    """Stands until it is moved."""

    moment: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self):
        return self.moment


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def service(make_service, clock):
    return make_service(clock=clock)


def declare(service, data=DATA, team="Alpha"):
    declared = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    return service.http.post("/api/v1/uploads", json=declared, headers=service.auth(team)).json()


def send(service, data=DATA, sent=None):
    headers = {**service.auth(), "Upload-Offset": "0", **BYTES}
    url = f"/api/v1/uploads/{declare(service, data)['id']}"
    return service.http.patch(url, content=data if sent is None else sent, headers=headers)


def run(service, **options):
    chosen = {"execute": True, "strays": True} | options
    return collect(service.context, moment=service.context.clock(), **chosen)


def test_what_is_new_stays(service):
    send(service)
    send(service, b"other", sent=b"oth")

    assert run(service) == Collection()
    assert service.context.artifacts.read_bytes(SHA256) == DATA
    assert declare(service, b"other")["received"] == 3


def test_what_rests_goes(service, clock):
    send(service)
    send(service, b"other", sent=b"oth")
    clock.moment += timedelta(days=2)

    expected = Collection(uploads=2, artifacts=1, n_bytes=len(DATA))
    assert run(service, execute=False) == expected
    assert run(service) == expected
    assert run(service) == Collection()
    assert list(service.context.artifacts.names()) == []
    assert list(service.context.parts.ids()) == []
    assert declare(service)["received"] == 0


def test_what_a_submission_names_stays(service, clock, make_report, make_lock):
    report = make_report()
    found = service.submit(report, lock=make_lock(report)).json()
    clock.moment += timedelta(days=30)

    assert run(service) == Collection()
    for file in ("report", "lock"):
        assert service.http.get(f"/api/v1/submissions/{found['id']}/{file}").status_code == 200


def test_an_open_upload_of_the_same_content_holds_it(service, clock):
    send(service)
    clock.moment += timedelta(hours=23)
    declare(service, team="Beta")
    clock.moment += timedelta(hours=2)

    assert run(service).artifacts == 0


def test_files_that_no_row_knows(service, clock):
    sha256 = service.context.artifacts.put_bytes(b"the process died before it said so")
    stray = service.context.parts.folder
    stray.mkdir(exist_ok=True)
    (stray / "01ARZ3NDEKTSV4RRFFQ69G5FAV.part").write_bytes(b"x")
    (stray / ".copy-x").mkdir()
    os.utime(stray / ".copy-x", (0, 0))

    assert run(service, strays=False) == Collection()
    assert run(service, execute=False).stray_files == 3
    assert run(service).stray_files == 3
    assert list(service.context.artifacts.names()) == []
    assert sha256 not in service.context.artifacts.names()


def test_what_is_put_again_meanwhile_stays(service, clock):
    send(service)
    clock.moment += timedelta(days=2)
    path = service.context.artifacts.folder / SHA256[:2] / f"{SHA256}.bin"
    just_now = clock.moment.timestamp()
    os.utime(path, (just_now, just_now))

    assert run(service).artifacts == 0
    assert service.context.artifacts.read_bytes(SHA256) == DATA
