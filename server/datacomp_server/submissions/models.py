"""The table of submissions. Rows are only ever added."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, Text, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column, relationship

from datacomp_server.identity.models import Team
from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime
from datacomp_server.kit.ids import new_id


class Submission(Base):
    """One report that was taken in, with what boards need of it.

    The report itself is the artifact of `report_sha256`; its canonical JSON has that hash.
    `groups` is `{name: {"value", "stderr", "n_tasks"}}`.
    """

    __tablename__ = "submission"
    __table_args__ = (Index("ix_submission_scale_created_at", "scale", "created_at"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"), index=True)
    method: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    oracle: Mapped[bool]
    report_sha256: Mapped[str] = mapped_column(ForeignKey("artifact.sha256"), unique=True)
    lock_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifact.sha256"))
    scale: Mapped[str] = mapped_column(String(20))
    suite: Mapped[str] = mapped_column(String(200))
    suite_sha256: Mapped[str] = mapped_column(String(64))
    recipe_id: Mapped[str] = mapped_column(String(200))
    pool_id: Mapped[str] = mapped_column(String(200))
    pool_size: Mapped[int] = mapped_column(BigInteger)
    seed: Mapped[int] = mapped_column(BigInteger)
    subset_sha256: Mapped[str] = mapped_column(String(64), index=True)
    subset_n: Mapped[int] = mapped_column(BigInteger)
    subset_unique: Mapped[int] = mapped_column(BigInteger)
    average: Mapped[float | None] = mapped_column(Double)
    average_stderr: Mapped[float | None] = mapped_column(Double)
    average_chance: Mapped[float | None] = mapped_column(Double)
    groups: Mapped[dict[str, Any]] = mapped_column(JSON)
    validator: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    team: Mapped[Team] = relationship(lazy="joined", innerjoin=True)


class AppendOnlyError(RuntimeError):
    """Our own code tried to change or delete a submission."""


@event.listens_for(Submission, "before_update")
@event.listens_for(Submission, "before_delete")
def _refuse(_mapper: Mapper[Submission], _connection: object, target: Submission) -> None:
    raise AppendOnlyError(f"submission {target.id} is append-only")
