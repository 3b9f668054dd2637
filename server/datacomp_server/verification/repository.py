"""Statements about keys, evidence, marks and audits; decides nothing."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp_server.jobs.models import Worker
from datacomp_server.submissions.models import Mark, Result, Submission, Verdict
from datacomp_server.verification.models import AuditRound, Evidence, SigningKey

# What the ladder asks of marks and evidence; a report alone climbs nowhere.
_TELLING = ("upheld", "dismissed")


def key_by_id(session: Session, key_id: str) -> SigningKey | None:
    """The key of that id, revoked ones too."""
    return session.get(SigningKey, key_id)


def key_by_public(session: Session, public_key: str) -> SigningKey | None:
    """The key of those bytes, revoked ones too."""
    return session.scalars(select(SigningKey).filter_by(public_key=public_key)).one_or_none()


def keys(session: Session, team_id: str | None = None) -> Sequence[SigningKey]:
    """Every key, of a team if one is given, oldest first."""
    statement = select(SigningKey).order_by(SigningKey.created_at, SigningKey.id)
    if team_id is not None:
        statement = statement.filter_by(team_id=team_id)
    return session.scalars(statement).all()


def worker_by_name(session: Session, name: str) -> Worker | None:
    """The worker of that name."""
    return session.scalars(select(Worker).filter_by(name=name)).one_or_none()


def evidence_of(session: Session, submission_id: str) -> Sequence[Evidence]:
    """All that speaks for or against a submission, oldest first; contradictions end a moment."""
    statement = select(Evidence).filter_by(submission_id=submission_id)
    against = Evidence.kind == "contradiction"
    return session.scalars(statement.order_by(Evidence.created_at, against, Evidence.id)).all()


def marks_of(session: Session, submission_id: str) -> Sequence[Mark]:
    """What was said of a submission, oldest first."""
    statement = select(Mark).filter_by(submission_id=submission_id)
    return session.scalars(statement.order_by(Mark.created_at, Mark.id)).all()


def telling_evidence(
    session: Session, ids: Collection[str] | None
) -> Iterator[tuple[str, str, datetime, int | None]]:
    """Submission, kind, moment and seed of every piece of evidence, but for reports.

    Of the submissions `ids`, if they are given.
    """
    seed = Evidence.facts["seed"].as_integer()
    statement = select(Evidence.submission_id, Evidence.kind, Evidence.created_at, seed)
    if ids is not None:
        statement = statement.where(Evidence.submission_id.in_(ids))
    for row in session.execute(statement.where(Evidence.kind != "report")):
        yield row[0], row[1], row[2], row[3]


def telling_marks(
    session: Session, ids: Collection[str] | None
) -> Iterator[tuple[str, str, datetime]]:
    """Submission, kind and moment of every mark that decides about a contradiction.

    Of the submissions `ids`, if they are given.
    """
    statement = select(Mark.submission_id, Mark.kind, Mark.created_at)
    if ids is not None:
        statement = statement.where(Mark.submission_id.in_(ids))
    for row in session.execute(statement.where(Mark.kind.in_(_TELLING))):
        yield row[0], row[1], row[2]


def twins(session: Session, submission_id: str) -> Sequence[Result]:
    """Results of other submissions with the very same numbers as one of this, oldest first."""
    own = select(Result.vector_sha256).where(Result.submission_id == submission_id)
    statement = select(Result).where(
        Result.vector_sha256.in_(own.where(Result.vector_sha256.is_not(None))),
        Result.submission_id != submission_id,
    )
    return session.scalars(statement.order_by(Result.created_at, Result.id)).all()


def accepted_of_board(
    session: Session, board_id: str, *, by: datetime | None = None
) -> Sequence[str]:
    """Ids of every submission that a board accepted, until a moment if one is given."""
    statement = select(Submission.id).join(Verdict, Verdict.submission_id == Submission.id)
    statement = statement.where(Submission.board_id == board_id, Verdict.accepted)
    if by is not None:
        statement = statement.where(Verdict.created_at <= by)
    return session.scalars(statement.order_by(Submission.id)).all()


def rounds(session: Session) -> Sequence[AuditRound]:
    """Every audit round, oldest first."""
    statement = select(AuditRound).order_by(AuditRound.created_at, AuditRound.id)
    return session.scalars(statement).all()
