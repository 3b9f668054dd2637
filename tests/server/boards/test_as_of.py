"""The board as it was: what came, was said, measured or ruled later is not there."""

from datetime import UTC, datetime

import pytest

from datacomp.submission.levels import Level
from datacomp_leaderboard.rules import OFFICIAL, ROBUST
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.data import Kept, Source
from datacomp_server.submissions.models import Mark
from datacomp_server.verification.models import Evidence

DAYS = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in range(22, 28)]


@pytest.fixture
def as_of(make_service, make_report):
    """`as_of(day)`: the tiny board; one is reported on day 0, another on 1, the first evaluated
    on 2 and withdrawn on 3, and another rule in force from 4 on.
    """
    today = [DAYS[0]]
    service = make_service(clock=lambda: today[0])
    first = service.submit(make_report(level=0.3), method="first").json()["id"]
    today[0] = DAYS[1]
    service.submit(make_report(level=0.4), method="second", team="Beta")
    with service.context.database.writing() as session:
        seen = Evidence(submission_id=first, kind="evaluation", facts={}, created_at=DAYS[2])
        said = Mark(submission_id=first, kind="withdrawn", by="team:Alpha", created_at=DAYS[3])
        session.add_all([seen, said])
        board = opening.require_board(session, "filtering", "tiny")
        ruling.put_in_force(session, board, ROBUST.id, by="operator", moment=DAYS[4])

    def page(day):
        context = service.context
        with context.database.reading() as session:
            source = Source(session, context.artifacts, context.settings, today[0], (), Kept())
            return source.board("tiny", until=None if day is None else DAYS[day])

    return page


def rows(page):
    return {r.row.method: r.row for r in page.ranked}


def test_what_came_in_later_is_not_there(as_of):
    assert as_of(0).updated_at == DAYS[0]
    assert list(rows(as_of(0))) == ["first"]
    assert list(rows(as_of(1))) == ["second", "first"]


def test_evidence_marks_and_rules_begin_when_they_were_made(as_of):
    levels = [rows(as_of(day))["first"].level for day in (1, 2)]
    assert levels == [Level.REPORTED, Level.RE_EVALUATED]
    assert [rows(as_of(day))["first"].withdrawn for day in (2, 3)] == [False, True]
    assert [as_of(day).rule for day in (3, 4)] == [OFFICIAL, ROBUST]


def test_after_the_last_change_it_is_as_now(as_of):
    assert as_of(5).ranked == as_of(None).ranked
    assert as_of(5).rule == as_of(None).rule
