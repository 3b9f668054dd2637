"""Statements about the ledger; decides nothing."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, case, exists, func, select
from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity.models import Team
from datacomp_server.submissions.models import Submission

_OWN = (
    LedgerEntry.team_id == bindparam("team_id"),
    LedgerEntry.board_id == bindparam("board_id"),
    LedgerEntry.unit == bindparam("unit"),
)
_TOTAL = select(func.sum(LedgerEntry.amount)).where(*_OWN)
_IS_GRANTED = select(
    exists().where(*_OWN, LedgerEntry.reason == "grant", LedgerEntry.by == bindparam("by"))
)


class Use(NamedTuple):
    """What a team was granted and charged, less refunds, on a board; in worker seconds."""

    team: str
    scale: str
    track: str
    granted: int
    charged: int


def board(session: Session, board_id: str) -> Board:
    """The board of that id, which exists."""
    return session.get_one(Board, board_id)


def total(
    session: Session, team_id: str, board_id: str, unit: str, *, reason: str | None = None
) -> int:
    """The sum of a team's entries, of those for one reason if it is given."""
    statement = _TOTAL if reason is None else _TOTAL.where(LedgerEntry.reason == reason)
    values = {"team_id": team_id, "board_id": board_id, "unit": unit}
    return int(session.scalar(statement, values) or 0)


def of_job(session: Session, job_id: str) -> Sequence[LedgerEntry]:
    """The charge of a job and its refund, as far as there are."""
    return session.scalars(select(LedgerEntry).filter_by(job_id=job_id)).all()


def paid_for(session: Session, submission: Submission) -> int:
    """How many submissions a team has paid for this one, less those that it got back."""
    statement = select(func.sum(LedgerEntry.amount)).filter_by(
        team_id=submission.team_id,
        board_id=submission.board_id,
        unit="submissions",
        submission_id=submission.id,
    )
    return -int(session.scalar(statement) or 0)


def is_granted(session: Session, team_id: str, board_id: str, unit: str, *, by: str) -> bool:
    """Whether that actor granted a team something."""
    values = {"team_id": team_id, "board_id": board_id, "unit": unit, "by": by}
    return bool(session.scalar(_IS_GRANTED, values))


def boards_of(session: Session, team_id: str) -> Sequence[Board]:
    """The boards on which a team has entries, oldest first."""
    own = select(LedgerEntry.board_id).filter_by(team_id=team_id)
    statement = select(Board).where(Board.id.in_(own)).order_by(Board.created_at, Board.id)
    return session.scalars(statement).all()


def seconds_by_team(session: Session) -> Sequence[Use]:
    """The worker seconds of every team on every board that it was charged on."""
    is_grant = LedgerEntry.reason == "grant"
    granted = func.sum(case((is_grant, LedgerEntry.amount), else_=0))
    charged = func.sum(case((is_grant, 0), else_=-LedgerEntry.amount))
    statement = (
        select(Team.name, Board.scale, Board.track, granted, charged)
        .join(Team, Team.id == LedgerEntry.team_id)
        .join(Board, Board.id == LedgerEntry.board_id)
        .where(LedgerEntry.unit == "compute_seconds")
        .group_by(Team.id, Team.name, Board.id, Board.scale, Board.track)
    )
    return [
        Use(team, scale, track, int(given), int(paid))
        for team, scale, track, given, paid in session.execute(statement)
    ]
