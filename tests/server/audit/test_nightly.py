"""The nightly export: once a day, by the service's own thread, and always another one waiting."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from datacomp_server.artifacts.models import Upload
from datacomp_server.audit import nightly
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.runner import run_one

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def nights(make_service, clock):
    """A service whose first export waits for midnight."""
    made = make_service(clock=clock, run_jobs=False)
    for _ in range(2):
        with made.context.database.writing() as session:
            nightly.queue_next(session, clock.now)
    return made


def jobs(service):
    with service.context.database.reading() as session:
        found = session.scalars(select(Job).filter_by(kind="export").order_by(Job.id)).all()
        return [(job.status, job.available_at) for job in found]


def exports(service):
    folder = service.context.settings.exports_dir
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_one_waits_for_midnight(nights):
    assert jobs(nights) == [("queued", datetime(2026, 11, 23, tzinfo=UTC))]
    assert not run_one(nights.context)
    assert exports(nights) == []


def test_each_night_is_exported_and_the_next_one_waits(nights, clock):
    for _ in range(2):
        clock.now += timedelta(days=1)
        assert run_one(nights.context)
        assert not run_one(nights.context)

    assert exports(nights) == ["2026-11-23", "2026-11-24"]
    assert jobs(nights) == [
        ("succeeded", datetime(2026, 11, 23, tzinfo=UTC)),
        ("succeeded", datetime(2026, 11, 24, tzinfo=UTC)),
        ("queued", datetime(2026, 11, 25, tzinfo=UTC)),
    ]


def test_a_day_that_is_exported_already_is_left_as_it_is(nights, clock):
    clock.now += timedelta(days=1)
    target = nights.context.settings.exports_dir / "2026-11-23"
    target.mkdir(parents=True)

    assert run_one(nights.context)
    assert list(target.iterdir()) == []
    assert [status for status, _ in jobs(nights)] == ["succeeded", "queued"]


def test_what_nothing_names_goes_in_the_night(nights, clock):
    declared = {"sha256": "0" * 64, "size": 5}
    made = nights.http.post("/api/v1/uploads", json=declared, headers=nights.auth()).json()
    clock.now += timedelta(days=2)

    assert run_one(nights.context)
    with nights.context.database.reading() as session:
        assert session.get(Upload, made["id"]) is None
