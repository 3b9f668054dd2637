"""Which rule a board ranks by, since when; what the board then shows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from datacomp.errors import UnknownNameError, UsageError
from datacomp_leaderboard.rules import OFFICIAL, ROBUST
from datacomp_server.audit.models import Event
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.service import preview_rule
from datacomp_server.kit.db import AppendOnlyError
from datacomp_server.submissions.models import Submission
from datacomp_server.verification.models import Evidence

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def put(service):
    """`put("robust/1", at)`: in force on the tiny board."""

    def make(rule, moment=NOON):
        with service.context.database.writing() as session:
            board = opening.require_board(session, "filtering", "tiny")
            ruling.put_in_force(session, board, rule, by="operator", moment=moment)

    return make


@pytest.fixture
def filled(service, make_report):
    """Two verified methods: `plain` is better, but in flags, by more than it is better in all."""
    plain, flags = make_report(level=0.31), make_report(level=0.3)
    better = make_report(level=0.9).tasks["flags"]
    service.submit(plain, method="plain")
    service.submit(make_report(level=0.3, tasks={"flags": better}), method="flags", team="Beta")
    assert flags.aggregates.average.value < plain.aggregates.average.value
    with service.context.database.writing() as session:
        for submission in session.scalars(select(Submission)).unique():
            session.add(Evidence(submission_id=submission.id, kind="evaluation", facts={}))
    return service


def ranks(service):
    board = service.http.get("/api/v1/boards/tiny").json()
    return board["rule"], [(row["method"], row["rank"]) for row in board["rows"]]


def test_a_board_ranks_by_the_rule_in_force(filled, put):
    assert ranks(filled) == ("official/2", [("flags", 1), ("plain", 2)])
    put("robust/1")
    assert ranks(filled) == ("robust/1", [("plain", 1), ("flags", 2)])
    page, home = filled.http.get("/b/tiny").text, filled.http.get("/").text
    assert "by the rule robust/1" in page
    assert home.index(">plain<") < home.index(">flags<")
    put("official/2", NOON + DAY)
    assert ranks(filled)[0] == "official/2"


def test_every_moment_has_its_rule(service, put):
    put("robust/1", NOON)
    put("official/2", NOON + DAY)

    with service.context.database.reading() as session:
        board = opening.require_board(session, "filtering", "tiny")
        moments = [NOON - DAY, NOON, NOON + DAY / 2, NOON + DAY, None]
        found = [ruling.rule_in_force(session, board, at) for at in moments]
        assert found == [OFFICIAL, ROBUST, ROBUST, OFFICIAL, OFFICIAL]
        other = opening.require_board(session, "filtering", "small")
        assert ruling.rule_in_force(session, other) is OFFICIAL


def test_the_list_of_boards_says_since_when(service, put):
    put("robust/1")
    listed = service.http.get("/api/v1/boards").json()["boards"]

    tiny = next(one for one in listed if one["scale"] == "tiny")
    assert (tiny["rule"], tiny["rule_since"]) == ("robust/1", "2026-11-22T12:00:00Z")
    small = next(one for one in listed if one["scale"] == "small")
    assert small["rule"] == "official/2"


def test_it_stands_in_the_log_of_events(service, put):
    put("robust/1")

    with service.context.database.reading() as session:
        event = session.scalars(select(Event).order_by(Event.seq.desc())).first()
        assert (event.tag, event.actor) == ("board:rule_set", "operator")
        assert (event.facts["rule"], event.facts["before"]) == ("robust/1", "official/2")


def test_one_that_is_in_force_or_that_nobody_knows_is_refused(put):
    with pytest.raises(UsageError, match="official/2 already"):
        put("official/2")
    with pytest.raises(UnknownNameError, match="robust/1"):
        put("robust/9")


def test_what_was_in_force_stays_written(service, put):
    put("robust/1")

    def change():
        with service.context.database.writing() as session:
            board = opening.require_board(session, "filtering", "tiny")
            ruling.history(session, board)[0].rule = "official/2"

    with pytest.raises(AppendOnlyError):
        change()


def test_a_preview_changes_nothing(filled):
    with filled.context.database.reading() as session:
        board = opening.require_board(session, "filtering", "tiny")
        found = preview_rule(session, board, "robust/1")

    assert [(m.row.method, m.before, m.after) for m in found.moves] == [
        ("plain", 2, 1),
        ("flags", 1, 2),
    ]
    assert ranks(filled)[0] == "official/2"
