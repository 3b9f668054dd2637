"""Statements about what nothing needs any more; when that is, their arguments say.

Every column of another table whose name ends in `sha256` may name an artifact, so that a new
table need not be thought of here.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, Executable, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.jobs.models import JobOutput
from datacomp_server.kit.db import Base
from datacomp_server.submissions.models import Submission, SubmissionFile, Verdict

_SUFFIX = "sha256"
_OWN = {Artifact.__tablename__, Upload.__tablename__, SubmissionFile.__tablename__}


class Garbage:
    """The conditions at one moment."""

    def __init__(
        self, moment: datetime, *, refused_before: datetime, unnamed_before: datetime
    ) -> None:
        refused = select(Verdict.submission_id).where(
            Verdict.accepted.is_(False), Verdict.created_at <= refused_before
        )
        file = exists().where(SubmissionFile.submission_id.not_in(refused))
        of_its_team = file.where(
            SubmissionFile.sha256 == Upload.sha256,
            Submission.id == SubmissionFile.submission_id,
            Submission.team_id == Upload.team_id,
        )
        output = exists().where(JobOutput.sha256 == Upload.sha256)
        self.upload: ColumnElement[bool] = and_(
            Upload.expires_at <= moment,
            or_(Upload.completed_at.is_(None), and_(~of_its_team, ~output)),
        )
        held = exists().where(Upload.sha256 == Artifact.sha256, ~self.upload)
        self.artifact: ColumnElement[bool] = and_(
            Artifact.created_at <= unnamed_before,
            ~held,
            ~file.where(SubmissionFile.sha256 == Artifact.sha256),
            *(~named for named in _named()),
        )

    def uploads(self, session: Session) -> list[tuple[str, bool]]:
        """Ids of uploads, and whether each is still open."""
        found = session.execute(select(Upload.id, Upload.completed_at).where(self.upload))
        return [(upload_id, completed_at is None) for upload_id, completed_at in found]

    def artifacts(self, session: Session) -> list[tuple[str, int]]:
        """Hashes and sizes (bytes) of artifacts."""
        found = session.execute(select(Artifact.sha256, Artifact.size).where(self.artifact))
        return [(sha256, size) for sha256, size in found]

    def forget_upload(self, session: Session, upload_id: str) -> bool:
        """Delete an upload's row, if that is still right."""
        return _deleted(session, delete(Upload).where(Upload.id == upload_id, self.upload))

    def forget_artifact(self, session: Session, sha256: str) -> bool:
        """Delete an artifact's row, if that is still right."""
        return _deleted(session, delete(Artifact).where(Artifact.sha256 == sha256, self.artifact))


def is_known(session: Session, sha256: str) -> bool:
    """Whether a row says that this content is in the store."""
    return bool(session.scalar(select(exists().where(Artifact.sha256 == sha256))))


def has_upload(session: Session, upload_id: str) -> bool:
    """Whether there is an upload of that id."""
    return bool(session.scalar(select(exists().where(Upload.id == upload_id))))


def _named() -> Iterator[ColumnElement[bool]]:
    for found in Base.metadata.sorted_tables:
        if found.name not in _OWN:
            for column in found.columns:
                if column.name.endswith(_SUFFIX):
                    yield exists().where(column == Artifact.sha256)


def _deleted(session: Session, statement: Executable) -> bool:
    done = session.execute(statement, execution_options={"synchronize_session": False})
    return cast(CursorResult[object], done).rowcount == 1
