"""Statements about the ledger; decides nothing."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity.models import Team
from datacomp_server.submissions.models import Submission


def lock_team(session: Session, team_id: str) -> None:
    """Make every other transaction that spends for this team wait until this one ends.

    On SQLite a writing transaction is alone anyway.
    """
    session.execute(select(Team.id).where(Team.id == team_id).with_for_update())


def board(session: Session, board_id: str) -> Board:
    """The board of that id, which exists."""
    return session.get_one(Board, board_id)


def total(
    session: Session, team_id: str, board_id: str, unit: str, *, reason: str | None = None
) -> int:
    """The sum of a team's entries, of those for one reason if it is given."""
    statement = select(func.sum(LedgerEntry.amount))
    statement = statement.filter_by(team_id=team_id, board_id=board_id, unit=unit)
    if reason is not None:
        statement = statement.filter_by(reason=reason)
    return int(session.scalar(statement) or 0)


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


def entry_of(session: Session, team_id: str, board_id: str, unit: str, by: str) -> str | None:
    """The id of an entry by that actor, if there is one."""
    statement = select(LedgerEntry.id).filter_by(
        team_id=team_id, board_id=board_id, unit=unit, by=by
    )
    return session.scalars(statement.limit(1)).one_or_none()


def boards_of(session: Session, team_id: str) -> Sequence[Board]:
    """The boards on which a team has entries, oldest first."""
    own = select(LedgerEntry.board_id).filter_by(team_id=team_id)
    statement = select(Board).where(Board.id.in_(own)).order_by(Board.created_at, Board.id)
    return session.scalars(statement).all()
