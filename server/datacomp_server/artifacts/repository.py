"""Statements about artifacts and uploads; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.boards.models import Board
from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import LIVE, Job, JobAttempt, JobOutput, Worker
from datacomp_server.submissions.models import Submission, SubmissionFile

# What everybody may read once the board is closed; plugins stay with their team.
PUBLIC_ROLES = ("subset", "byod", "selection")


def upload_by_id(session: Session, upload_id: str) -> Upload | None:
    """The upload of that id, as the database has it now."""
    return session.get(Upload, upload_id, populate_existing=True)


def uploads_of(
    session: Session, sha256: str, *, team_id: str | None, lease_id: str | None
) -> Sequence[Upload]:
    """An owner's uploads of one content, open and completed."""
    mine = _owned_by(team_id, lease_id)
    return session.scalars(select(Upload).where(Upload.sha256 == sha256, mine)).all()


def lock_owner(session: Session, *, team_id: str | None, lease_id: str | None) -> None:
    """Hold the owner's row to the transaction's end: its reservations are made one by one."""
    statement = (
        select(Team.id).where(Team.id == team_id)
        if team_id is not None
        else select(Job.id).where(Job.lease_id == lease_id)
    )
    session.execute(statement.with_for_update())


def reserved(
    session: Session, *, team_id: str | None, lease_id: str | None, moment: datetime
) -> tuple[int, int]:
    """An owner's bytes, completed and still open ones, and how many uploads are open.

    A job's are those of all its leases: given back and claimed again it has no more room.
    """
    mine = Upload.team_id == team_id
    if lease_id is not None:
        job_id = select(JobAttempt.job_id).where(JobAttempt.lease_id == lease_id).scalar_subquery()
        leases = select(JobAttempt.lease_id).where(JobAttempt.job_id == job_id)
        mine = Upload.lease_id.in_(leases)
    is_open = Upload.completed_at.is_(None)
    counts = or_(~is_open, Upload.expires_at > moment)
    size = select(func.coalesce(func.sum(Upload.size), 0)).where(mine, counts)
    n_open = select(func.count()).where(mine, is_open, Upload.expires_at > moment)
    return int(session.scalar(size) or 0), int(session.scalar(n_open) or 0)


def advance(
    session: Session, upload_id: str, *, before: int, received: int, expires_at: datetime
) -> bool:
    """Move an open upload on; False if it is not where `before` says it is."""
    statement = (
        update(Upload)
        .where(Upload.id == upload_id, Upload.received == before, Upload.completed_at.is_(None))
        .values(received=received, expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[object], session.execute(statement)).rowcount == 1


def remove_upload(session: Session, upload_id: str) -> None:
    """Forget an upload."""
    session.execute(delete(Upload).where(Upload.id == upload_id))


def artifact(session: Session, sha256: str) -> Artifact | None:
    """The artifact of that hash."""
    return session.get(Artifact, sha256)


def is_public(session: Session, sha256: str, moment: datetime) -> bool:
    """Whether a submission to a board that has closed consists of this content."""
    return bool(
        session.scalar(
            select(
                exists()
                .where(SubmissionFile.sha256 == sha256, SubmissionFile.role.in_(PUBLIC_ROLES))
                .where(Submission.id == SubmissionFile.submission_id)
                .where(Board.id == Submission.board_id, Board.closes_at <= moment)
            )
        )
    )


def is_output_for(session: Session, sha256: str, team_id: str) -> bool:
    """Whether a job of one of the team's submissions left this content."""
    return bool(
        session.scalar(
            select(
                exists()
                .where(JobOutput.sha256 == sha256, Job.id == JobOutput.job_id)
                .where(Submission.id == Job.submission_id, Submission.team_id == team_id)
            )
        )
    )


def worker_has_lease(session: Session, token_id: str, lease_id: str) -> bool:
    """Whether a worker with that token ever held that lease."""
    return bool(
        session.scalar(
            select(
                exists()
                .where(JobAttempt.lease_id == lease_id)
                .where(Worker.name == JobAttempt.worker, Worker.token_id == token_id)
            )
        )
    )


def is_live(session: Session, lease_id: str, moment: datetime) -> bool:
    """Whether a job is leased under that id now."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    Job.lease_id == lease_id, Job.status.in_(LIVE), Job.lease_until > moment
                )
            )
        )
    )


def _owned_by(team_id: str | None, lease_id: str | None) -> ColumnElement[bool]:
    return Upload.team_id == team_id if team_id is not None else Upload.lease_id == lease_id
