"""The database: migrations make what the models say, and submissions are only added."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError

from datacomp.errors import UsageError
from datacomp_server.boards.models import Board
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity.models import Team
from datacomp_server.kit.db import AppendOnlyError, Base, Database, add_rows
from datacomp_server.kit.ids import new_id
from datacomp_server.submissions.models import Submission


def test_migrations_make_the_schema_of_the_models(service):
    with service.context.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database):
    database.migrate()


def test_a_postgres_set_up_without_a_locale_keeps_text_too(postgres):
    """As it is in a container without one; unasked, such a server's text comes as bytes."""
    with postgres.without_encoding() as url, closing(Database(url)) as database:
        database.migrate()
        with database.writing() as session:
            session.add(Team(id=new_id(), name="Zürich", key="zürich"))
        with database.reading() as session:
            assert session.scalars(select(Team.name)).one() == "Zürich"


def test_rows_are_added_in_the_order_given(service):
    database = service.context.database
    with database.writing() as session:
        board = session.scalars(select(Board)).first()
        team = Team(id=new_id(), name="Alpha", key="alpha")
        entry = LedgerEntry(team_id=team.id, board_id=board.id, unit="submissions", amount=5)
        entry.reason, entry.by = "grant", "rules"
        add_rows(session, team, entry)
        assert team not in session

    with database.reading() as session:
        found = session.scalars(select(LedgerEntry)).one()
        assert (found.team_id, found.amount, len(found.id)) == (team.id, 5, 26)


def test_submissions_are_append_only(service, make_report):
    made = service.submit(make_report()).json()

    def change(session):
        session.get(Submission, made["id"]).method = "better"

    def delete(session):
        session.delete(session.get(Submission, made["id"]))

    for action in (change, delete):
        with (
            pytest.raises(AppendOnlyError, match=made["id"]),
            service.context.database.writing() as session,
        ):
            action(session)
    assert service.http.get(f"/api/v1/submissions/{made['id']}").json() == made


def test_a_failed_write_leaves_no_trace(service):
    def fail():
        with service.context.database.writing() as session:
            session.add(Team(name="Gone", key="gone"))
            session.flush()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    with service.context.database.reading() as session:
        assert session.query(Team).count() == 0


def test_readers_see_one_moment_beside_a_writer(database):
    with database.reading() as before:
        assert before.query(Team).count() == 0
        with database.writing() as session:
            session.add(Team(name="New", key="new"))
            session.flush()
            with database.reading() as beside:
                assert beside.query(Team).count() == 0
        assert before.query(Team).count() == 0
    with database.reading() as after:
        assert after.query(Team).count() == 1


def test_writers_take_turns_from_their_first_statement(database):
    """Two threads read a number and write it one higher: none is lost, nothing is retried."""
    with database.writing() as session:
        session.add(Team(id="T", name="0", key="t"))

    def count_up(_):
        for _ in range(10):
            with database.writing() as session:
                team = session.get(Team, "T")
                team.name = str(int(team.name) + 1)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(count_up, range(2)))
    with database.reading() as session:
        assert session.get(Team, "T").name == "20"


def test_no_writer_waits_for_ever(database, monkeypatch):
    monkeypatch.setattr("datacomp_server.kit.db.BUSY_TIMEOUT_SECONDS", 0.05)
    impatient = Database(database.engine.url.render_as_string(hide_password=False))
    with closing(impatient), database.writing() as first:
        assert first.query(Team).count() == 0
        with pytest.raises(OperationalError), impatient.writing() as session:
            session.query(Team).count()


def test_reading_sessions_cannot_write(database):
    with database.reading() as session:
        session.add(Team(name="a", key="a"))
        with pytest.raises(DBAPIError, match=r"read.?only"):
            session.flush()
    with database.writing() as session:
        session.add(Team(name="b", key="b"))


@pytest.mark.parametrize("url", ["mysql://u:secret@h/db", "postgresql", "secret"])
def test_a_url_that_is_none(url):
    with pytest.raises(UsageError, match="postgresql") as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_moments_are_kept_in_utc(database):
    there = datetime(2026, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    with database.writing() as session:
        session.add(Team(name="a", key="a", created_at=there))
    with database.reading() as session:
        found = session.query(Team).one().created_at

    assert found == datetime(2026, 5, 1, tzinfo=UTC)
    assert found.utcoffset() == timedelta(0)


def test_moments_without_a_zone_are_a_defect(service):
    with (
        pytest.raises(StatementError, match="time zone"),
        service.context.database.writing() as session,
    ):
        session.add(Team(name="a", key="a", created_at=datetime(2026, 5, 1)))


def test_ids_sort_by_time_and_differ(monkeypatch):
    many = {new_id() for _ in range(1000)}
    assert len(many) == 1000
    assert {len(made) for made in many} == {26}

    monkeypatch.setattr("time.time_ns", lambda: 10**18)
    early = new_id()
    monkeypatch.setattr("time.time_ns", lambda: 10**18 + 10**6)
    assert early < new_id()
