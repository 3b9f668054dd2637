"""Statements about submissions; decides nothing."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp_server.submissions.models import Submission


def by_id(session: Session, submission_id: str) -> Submission | None:
    """The submission of that public id."""
    return session.get(Submission, submission_id)


def by_report(session: Session, report_sha256: str) -> Submission | None:
    """The submission of that report."""
    statement = select(Submission).where(Submission.report_sha256 == report_sha256)
    return session.scalars(statement).one_or_none()


def of_scale(session: Session, scale: str) -> Sequence[Submission]:
    """Every submission at a scale, oldest first."""
    statement = select(Submission).where(Submission.scale == scale)
    return session.scalars(statement.order_by(Submission.created_at, Submission.id)).all()


def everything(session: Session) -> Sequence[Submission]:
    """Every submission, oldest first."""
    return session.scalars(select(Submission).order_by(Submission.created_at, Submission.id)).all()
