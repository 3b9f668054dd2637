"""Requests that break off, come twice, or meet what a crash left: the row is what counts."""

import asyncio
import errno
import hashlib

import pytest
from sqlalchemy import update
from starlette.requests import ClientDisconnect

from datacomp_server.artifacts import receiving, service
from datacomp_server.artifacts.models import Upload
from datacomp_server.artifacts.parts import Part
from datacomp_server.artifacts.service import Owner
from datacomp_server.identity.models import Team
from datacomp_server.kit.errors import Conflict, NotFound, RequestTimeout, StorageFull

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()


class Client:
    """One team's upload of `DATA`, by calls instead of HTTP."""

    def __init__(self, running, name="Alpha"):
        self.context = running.context
        with self.context.database.writing() as session:
            team = Team(name=name, key=name.casefold())
            session.add(team)
            session.flush()
            self.owner = Owner(team_id=team.id)
        self.upload = self.reserve().id

    def reserve(self):
        with self.context.database.writing() as session:
            return service.reserve(
                session,
                self.context.settings,
                self.owner,
                sha256=SHA256,
                size=len(DATA),
                moment=self.context.clock(),
            )

    def row(self):
        with self.context.database.reading() as session:
            return service.get(session, self.owner, self.upload, moment=self.context.clock())

    def send(self, stream, offset=0, **options):
        return asyncio.run(
            receiving.receive(
                self.context,
                self.owner,
                self.upload,
                offset=offset,
                length=None,
                stream=stream,
                **options,
            )
        )


@pytest.fixture
def client(service):
    return Client(service)


async def stream(*chunks):
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


async def silence():
    yield DATA[:5]
    await asyncio.Event().wait()


def test_what_came_before_a_cut_is_kept(client):
    client.send(stream(DATA[:700], DATA[700:900], ClientDisconnect()))

    assert client.row().received == 900
    assert client.send(stream(DATA[900:]), offset=900).completed_at is not None
    assert client.context.artifacts.read_bytes(SHA256) == DATA


def test_what_came_before_a_silence_is_kept(client):
    with pytest.raises(RequestTimeout):
        client.send(silence(), idle_seconds=0.01)

    assert client.row().received == 5


def test_only_one_request_writes_at_a_time(client):
    part = client.context.parts.hold(client.upload)
    with part, pytest.raises(Conflict) as caught:
        client.send(stream(DATA))

    assert caught.value.error == "upload_busy"
    assert client.send(stream(DATA)).completed_at is not None


def test_bytes_that_no_row_knows_of_are_cut_off(client):
    client.send(stream(DATA[:1000]))
    path = client.context.parts.folder / f"{client.upload}.part"
    with path.open("ab") as file:
        file.write(b"written, but the process died before it said so")

    assert client.send(stream(DATA[1000:]), offset=1000).completed_at is not None
    assert client.context.artifacts.read_bytes(SHA256) == DATA


def test_a_lost_part_begins_anew(client):
    client.send(stream(DATA[:1000]))
    (client.context.parts.folder / f"{client.upload}.part").unlink()

    with pytest.raises(Conflict) as caught:
        client.send(stream(DATA[1000:]), offset=1000)
    assert caught.value.headers == {"Upload-Offset": "0"}


def test_a_crash_before_the_end_was_written_down(client, monkeypatch):
    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(service, "complete", crash)
        with pytest.raises(KeyboardInterrupt):
            client.send(stream(DATA))

    assert client.row().completed_at is None
    assert client.reserve().received == len(DATA)
    assert client.send(stream(), offset=len(DATA)).completed_at is not None
    assert client.reserve() is None


def test_the_same_content_from_two_teams(service, client):
    other = Client(service, "Beta")

    client.send(stream(DATA))
    other.send(stream(DATA))

    assert client.row().completed_at is not None
    assert other.row().completed_at is not None


def test_an_end_that_is_told_again(client):
    client.send(stream(DATA))

    assert client.send(stream(), offset=len(DATA)).completed_at is not None
    assert list(client.context.parts.ids()) == []


def test_an_upload_that_was_dropped_while_bytes_came(client):
    async def dropping():
        yield DATA[:1000]
        with client.context.database.writing() as session:
            session.delete(session.get(Upload, client.upload))
        yield DATA[1000:2000]

    with pytest.raises(Conflict, match="dropped"):
        client.send(dropping())


def test_an_upload_that_rested_too_long(client):
    client.send(stream(DATA[:1000]))
    with client.context.database.writing() as session:
        session.execute(update(Upload).values(expires_at=client.context.clock()))

    with pytest.raises(NotFound):
        client.send(stream(DATA[1000:]), offset=1000)
    again = client.reserve()
    assert (again.id, again.received) == (client.upload, 1000)
    assert client.send(stream(DATA[1000:]), offset=1000).completed_at is not None


def test_a_full_disk_is_said_and_what_came_is_kept(client, monkeypatch):
    client.send(stream(DATA[:1000]))

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Part, "write", full)
        with pytest.raises(StorageFull):
            client.send(stream(DATA[1000:]), offset=1000)
    assert client.send(stream(DATA[1000:]), offset=1000).completed_at is not None
