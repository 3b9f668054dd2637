"""Tables of signing keys, evidence and audits. A level is no column: it follows from evidence."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime, append_only, one_of
from datacomp_server.kit.ids import new_id

EVIDENCE = ("report", "attestation", "evaluation", "training", "contradiction")


class SigningKey(Base):
    """An Ed25519 public key that a team registered, or the key of a worker."""

    __tablename__ = "signing_key"
    __table_args__ = (
        CheckConstraint("(team_id IS NULL) <> (worker_id IS NULL)", name="one_holder"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    team_id: Mapped[str | None] = mapped_column(ForeignKey("team.id"), index=True)
    worker_id: Mapped[str | None] = mapped_column(ForeignKey("worker.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    public_key: Mapped[str] = mapped_column(String(64), unique=True, doc="32 bytes as hex")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Evidence(Base):
    """One fact that speaks for or against a submission's numbers. Rows are only ever added."""

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint(one_of("kind", EVIDENCE), name="kind"),
        Index("ix_evidence_submission_id", "submission_id"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    kind: Mapped[str] = mapped_column(String(20))
    result_id: Mapped[str | None] = mapped_column(ForeignKey("result.id"))
    key_id: Mapped[str | None] = mapped_column(ForeignKey("signing_key.id"))
    worker: Mapped[str | None] = mapped_column(String(60))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class AuditRound(Base):
    """A random draw of entries to re-evaluate: the seed's hash is public before, the seed after."""

    __tablename__ = "audit_round"
    __table_args__ = (
        CheckConstraint("(seed IS NULL) = (drawn_at IS NULL)", name="drawn_has_its_seed"),
        CheckConstraint("share > 0 AND share <= 1", name="share"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id"))
    commitment: Mapped[str] = mapped_column(String(64), unique=True, doc="sha256 of the seed")
    share: Mapped[float] = mapped_column(Double)
    seed: Mapped[str | None] = mapped_column(String(64), doc="32 bytes as hex")
    chosen: Mapped[list[str] | None] = mapped_column(JSON, doc="ids of submissions")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    drawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


append_only(Evidence)
