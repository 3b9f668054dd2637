"""Recording events: numbered without a gap by any number of writers, and never changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from datacomp_server.audit import service as audit
from datacomp_server.audit.models import Event
from datacomp_server.kit.db import AppendOnlyError

EPOCH = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def record(service, number=1, **facts):
    with service.context.database.writing() as session:
        event = audit.record(
            session,
            tag="board:opened",
            subject_id=None,
            actor="organiser:Ada",
            facts={"number": number, **facts},
            moment=EPOCH,
        )
        return event.seq


def verify(service):
    with service.context.database.reading() as session:
        return audit.verify(session)


def test_events_are_numbered_and_chained(service):
    first = verify(service).n_events
    assert record(service, share=0.1, name="名前", none=None, nested={"b": [1, 2.5], "a": {}}) == (
        first + 1
    )
    assert record(service) == first + 2

    check = verify(service)
    assert (check.n_events, check.problem) == (first + 2, None)


def test_a_failed_unit_of_work_leaves_no_gap(service):
    record(service)

    def fail():
        with service.context.database.writing() as session:
            audit.record(session, tag="a:b", subject_id=None, actor="x:y", facts={}, moment=EPOCH)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    record(service)

    assert verify(service).problem is None


def test_many_writers_at_once_make_one_chain(service):
    first = verify(service).n_events
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda number: record(service, number), range(24)))

    assert sorted(numbers) == list(range(first + 1, first + 25))
    assert verify(service).problem is None


def test_events_are_append_only(service):
    seq = record(service)
    with (
        pytest.raises(AppendOnlyError, match="event"),
        service.context.database.writing() as session,
    ):
        session.get(Event, seq).actor = "organiser:Eve"


def test_a_change_behind_our_back_is_found(service):
    seq = record(service)
    record(service)
    with service.context.database.writing() as session:
        session.execute(text("UPDATE event SET actor = 'organiser:Eve' WHERE seq = :s"), {"s": seq})

    assert f"event {seq}" in verify(service).problem
