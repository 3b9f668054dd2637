"""Statements about submissions; decides nothing."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.submissions.models import Result, Submission


def by_id(session: Session, submission_id: str) -> Submission | None:
    """The submission of that public id."""
    return session.get(Submission, submission_id)


def by_report(session: Session, report_sha256: str) -> Submission | None:
    """The submission of that report."""
    statement = select(Submission).where(Submission.report_sha256 == report_sha256)
    return session.scalars(statement).one_or_none()


def reported_result(session: Session, submission_id: str) -> Result:
    """The result that came with a submission."""
    statement = select(Result).filter_by(submission_id=submission_id, source="reported")
    return session.scalars(statement).one()


def results(session: Session, scale: str | None = None) -> Sequence[Result]:
    """Every result, of a scale if one is given, oldest first."""
    statement = select(Result).join(Result.submission).join(Submission.board)
    if scale is not None:
        statement = statement.where(Board.scale == scale)
    return session.scalars(statement.order_by(Result.created_at, Result.id)).all()


def count_of_team(session: Session, team_id: str, board_id: str) -> int:
    """How many submissions a team has made to a board."""
    statement = select(func.count()).select_from(Submission)
    return session.scalar(statement.filter_by(team_id=team_id, board_id=board_id)) or 0
