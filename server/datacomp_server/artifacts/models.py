"""Tables of artifacts (what the store holds) and of uploads on their way."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime
from datacomp_server.kit.ids import new_id


class Artifact(Base):
    """One file of the store, whole."""

    __tablename__ = "artifact"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Upload(Base):
    """Room reserved for a file that was declared: by a team, or (team NULL) under a job's lease.

    The bytes that have come are in the store's own folder for uploads; `received` is what is
    safely there. Done: `completed_at` is set, and an `artifact` of that hash exists.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("received BETWEEN 0 AND size", name="received"),
        CheckConstraint("team_id IS NOT NULL OR lease_id IS NOT NULL", name="owner"),
        Index(
            "uq_upload_open",
            "team_id",
            "sha256",
            unique=True,
            sqlite_where=text("completed_at IS NULL AND team_id IS NOT NULL"),
            postgresql_where=text("completed_at IS NULL AND team_id IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("team.id"), index=True)
    lease_id: Mapped[str | None] = mapped_column(String(26), index=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
