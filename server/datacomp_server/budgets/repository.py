"""Statements about the ledger; decides nothing."""

from collections.abc import Sequence

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.budgets.models import LedgerEntry
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
