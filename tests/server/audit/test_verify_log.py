"""Anybody follows the chain over the API: whole, tampered with, and against a kept head."""

import pytest
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp.client import Connection
from datacomp.errors import ServiceError
from datacomp.events import check_chain
from datacomp_server.audit import endpoints
from datacomp_server.audit import service as audit
from datacomp_server.audit.models import Event


@pytest.fixture
def record(service):
    def add(n):
        with service.context.database.writing() as session:
            for number in range(n):
                audit.record(
                    session,
                    tag="a:b",
                    subject_id=None,
                    actor="team:Älpha",
                    facts={"n": number},
                    moment=service.context.clock(),
                )

    return add


@pytest.fixture
def verify(service, monkeypatch):
    """`verify(*arguments)`: the command, as if the service under test were the workspace's."""

    def run(*arguments):
        def read(self, name, **given):
            return service.http.get("/api/v1/events", params=given).json()

        monkeypatch.setattr(Connection, "read", read)
        return CliRunner().invoke(app, ["verify-log", "--url", "http://127.0.0.1:1", *arguments])

    return run


def test_stretches_of_the_chain(service, record):
    record(5)
    first = service.http.get("/api/v1/events?limit=2").json()
    rest = service.http.get("/api/v1/events?after=2").json()

    assert [one["seq"] for one in first["events"]] == [1, 2]
    assert [one["seq"] for one in rest["events"]] == [3, 4, 5]
    assert first["head"] == f"5:{rest['events'][-1]['sha256']}"
    assert service.http.get(f"/api/v1/events?limit={endpoints.MOST + 1}").status_code == 422


def test_a_whole_chain_and_a_kept_head(verify, record):
    record(3)
    found = verify()
    assert (found.exit_code, "3 in order" in found.output) == (0, True)
    head = found.output.split("head")[1].split()[0]
    record(2)

    later = verify("--head", head)
    assert (later.exit_code, "passes through" in later.output) == (0, True)
    other = verify("--head", f"2:{'0' * 64}")
    assert isinstance(other.exception, ServiceError)
    assert "written anew" in str(other.exception)


def test_an_event_that_was_changed(service, verify, record):
    record(3)
    with service.context.database.writing() as session:
        table = Event.__table__
        session.connection().execute(
            table.update().where(table.c.seq == 2).values(actor="team:Beta")
        )
    found = verify()

    assert "event 2 (a:b" in str(found.exception)
    assert "1 in order" in found.output


def test_an_empty_log(service):
    answer = service.http.get("/api/v1/events").json()
    assert answer == {"events": [], "head": None}
    assert check_chain([]).n_events == 0
