"""Tables of the queue. CHECK constraints make the states that cannot be unrepresentable."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime, one_of
from datacomp_server.kit.ids import new_id

SERVICE = "service"  # the resource class of what the service does itself
PLUGINS = "plugins"  # that of submitted filters: workers with a sandbox, whatever the scale
BYOD = "-byod"  # behind a scale: its workers that fetch what teams' own addresses lead to
KINDS = ("check", "filter", "train", "evaluate", "score", "export")
LIVE = ("leased", "running")
ENDED = ("succeeded", "failed", "cancelled")
HOPELESS = ("failed", "cancelled")  # ended without what it was planned for
STATUSES = ("queued", *LIVE, *ENDED)
FAULTS = ("user", "infrastructure")
ENDINGS = ("succeeded", "failed", "expired", "cancelled", "released")


class Worker(Base):
    """A machine that asks for jobs, and what it can do."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    token_id: Mapped[str] = mapped_column(ForeignKey("api_token.id"), index=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    classes: Mapped[list[str]] = mapped_column(JSON)
    pools: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, doc="versions, device, cores, image digest")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Job(Base):
    """One piece of work.

    queued -> leased -> running -> succeeded | failed | cancelled. A lease that ran out leaves the
    row as it is until somebody next asks for work: then it is queued again, for another
    `lease_id`, the fencing token of every write. `failed` carries whose fault it was;
    infrastructure's is tried again up to `max_attempts`, after `available_at`.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint(
            "(status IN ('leased', 'running')) = (lease_id IS NOT NULL)", name="live_has_a_lease"
        ),
        CheckConstraint(
            "(lease_id IS NULL) = (lease_until IS NULL) AND (lease_id IS NULL) = (worker IS NULL)",
            name="lease_is_whole",
        ),
        CheckConstraint(
            "(status IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name="ended_has_its_end",
        ),
        CheckConstraint("(status = 'failed') = (fault IS NOT NULL)", name="failed_has_its_fault"),
        CheckConstraint(one_of("fault", FAULTS) + " OR fault IS NULL", name="fault"),
        CheckConstraint("attempt BETWEEN 0 AND max_attempts", name="attempt"),
        CheckConstraint("priority BETWEEN -10 AND 10", name="priority"),
        Index("ix_job_status_resource_turn_id", "status", "resource", "turn", "id"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(10))
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"), index=True)
    team_id: Mapped[str | None] = mapped_column(
        ForeignKey("team.id"), index=True, doc="whose share it takes; none for what is free"
    )
    resource: Mapped[str] = mapped_column(String(40), doc="resource class, e.g. tiny; or service")
    pool_id: Mapped[str | None] = mapped_column(String(200), doc="the pool that a worker must have")
    params: Mapped[dict[str, Any]] = mapped_column(JSON)
    priority: Mapped[int] = mapped_column(default=0)
    turn: Mapped[int] = mapped_column(
        BigInteger, doc="place in line: seconds since 1970 at its creation, less its priority's"
    )
    expected_seconds: Mapped[int] = mapped_column(BigInteger, doc="what its team is charged")
    status: Mapped[str] = mapped_column(String(10), default="queued")
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    lease_id: Mapped[str | None] = mapped_column(String(26), unique=True)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(String(60))
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    fault: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(Text, doc="why it ended as it did, for people")
    cancel_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    available_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JobNeed(Base):
    """`job_id` waits until `needs_id` has succeeded; if that fails or is cancelled, so is it."""

    __tablename__ = "job_need"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    needs_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True, index=True)


class JobAttempt(Base):
    """One lease of a job, from its claim to its end."""

    __tablename__ = "job_attempt"
    __table_args__ = (
        CheckConstraint(one_of("ending", ENDINGS) + " OR ending IS NULL", name="ending"),
        CheckConstraint("(ending IS NULL) = (ended_at IS NULL)", name="ended_has_its_ending"),
        Index(
            "uq_job_attempt_live",
            "job_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    lease_id: Mapped[str] = mapped_column(String(26), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), index=True)
    attempt: Mapped[int]
    worker: Mapped[str] = mapped_column(String(60), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    seconds: Mapped[int | None] = mapped_column(BigInteger, doc="from its start to its end")
    ending: Mapped[str | None] = mapped_column(String(10))
    fault: Mapped[str | None] = mapped_column(String(20))
    detail: Mapped[str | None] = mapped_column(Text)


class JobOutput(Base):
    """A file that a succeeded job left, by its role: subset, lock, checkpoint, report, ..."""

    __tablename__ = "job_output"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("artifact.sha256"))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobLog(Base):
    """A piece of an attempt's log; `start` is its first byte's offset in that attempt's log."""

    __tablename__ = "job_log"

    lease_id: Mapped[str] = mapped_column(ForeignKey("job_attempt.lease_id"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
