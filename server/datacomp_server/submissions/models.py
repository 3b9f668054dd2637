"""Tables of submissions and of what became of them. Rows are only ever added.

A submission is what a team declared; its files arrive after it. The verdict is the end of the
checks. Results are reports with numbers: the team's own, and those that workers made from the
submission's files. A mark is what an organiser or its team says of it later.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from datacomp_server.boards.models import Board
from datacomp_server.identity.models import Team
from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime, append_only, one_of
from datacomp_server.kit.ids import new_id

KINDS = ("report", "subset", "byod", "plugin")
ROLES = ("subset", "checkpoint", "byod", "plugin", "selection")
SOURCES = ("reported", "evaluated", "trained")
MARKS = ("baseline", "withdrawn", "disqualified", "challenged", "upheld", "dismissed")


class Submission(Base):
    """One manifest that was accepted: who, where to, what it is called, what it consists of.

    `kind` is what the team handed in: a report of a run of its own (with or without subset and
    checkpoint), a subset or own data to be trained on, or a filter plugin to be run.
    `manifest_sha256` is of the manifest as canonical JSON. Which of several with the same one
    stands, `Claim` says.
    """

    __tablename__ = "submission"
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint("kind <> 'report' OR report_sha256 IS NOT NULL", name="has_its_report"),
        Index("ix_submission_board_id_created_at", "board_id", "created_at"),
        Index("ix_submission_team_id_created_at", "team_id", "created_at"),
        Index("ix_submission_team_id_board_id_attempt", "team_id", "board_id", "attempt"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"))
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id"))
    kind: Mapped[str] = mapped_column(String(10))
    method: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(Text)
    oracle: Mapped[bool]
    attempt: Mapped[int] = mapped_column(doc="1, 2, ...: of this team on this board")
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    report_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifact.sha256"), index=True)
    lock_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifact.sha256"))
    profile_sha256: Mapped[str | None] = mapped_column(ForeignKey("artifact.sha256"))
    pool_id: Mapped[str] = mapped_column(String(200))
    seed: Mapped[int] = mapped_column(BigInteger, doc="of the training that is wanted or reported")
    validator: Mapped[str] = mapped_column(String(60))
    files_until: Mapped[datetime] = mapped_column(UtcDateTime, doc="until when its files may come")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    team: Mapped[Team] = relationship(lazy="joined", innerjoin=True)
    board: Mapped[Board] = relationship(lazy="joined", innerjoin=True)
    files: Mapped[list["SubmissionFile"]] = relationship(lazy="selectin", viewonly=True)
    verdict: Mapped["Verdict | None"] = relationship(lazy="joined", viewonly=True)


class Claim(Base):
    """Which submission stands for a report, or for a team's manifest that has no report.

    A report belongs for good to the team that first handed it in. The one row here that changes:
    when a submission was refused, withdrawn, or its files never came, its team's next one with
    the same report takes the place.
    """

    __tablename__ = "claim"

    key: Mapped[str] = mapped_column(
        String(64), primary_key=True, doc="sha256 of the report, or of team and manifest"
    )
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"))
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))


class SubmissionFile(Base):
    """A file that the manifest declares; it is there when `artifact` has its hash.

    The quota was reserved when the manifest was accepted.
    """

    __tablename__ = "submission_file"
    __table_args__ = (
        CheckConstraint(one_of("role", ROLES), name="role"),
        CheckConstraint("size > 0", name="size"),
    )

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)


class Verdict(Base):
    """What the checks of a submission's files found, once: accepted, or refused with reasons."""

    __tablename__ = "verdict"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    accepted: Mapped[bool]
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, doc="e.g. the subset's sha256, n, n_unique")
    validator: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Result(Base):
    """One report with numbers, and what boards need of it.

    `source` says whose: the team's own (reported), a worker's evaluation of the submitted
    checkpoint (evaluated), or of a checkpoint that a worker trained on the submitted subset
    (trained). `groups` is `{name: {"value", "stderr", "n_tasks"}}`; `tasks` has the main metric of
    every scored task, `{"values": {task: value}, "stderrs": {task: stderr}}`, null where it failed.
    """

    __tablename__ = "result"
    __table_args__ = (
        CheckConstraint(one_of("source", SOURCES), name="source"),
        CheckConstraint("(source = 'reported') = (job_id IS NULL)", name="worker_made_has_its_job"),
        Index("ix_result_submission_id", "submission_id"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    source: Mapped[str] = mapped_column(String(10))
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), unique=True)
    report_sha256: Mapped[str] = mapped_column(ForeignKey("artifact.sha256"), index=True)
    checkpoint_sha256: Mapped[str | None] = mapped_column(String(64))
    profile_sha256: Mapped[str | None] = mapped_column(
        ForeignKey("artifact.sha256"), doc="of the training, if a worker trained"
    )
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
    tasks: Mapped[dict[str, dict[str, float | None]]] = mapped_column(JSON)
    vector_sha256: Mapped[str | None] = mapped_column(
        String(64), index=True, doc="of every main metric at 6 digits: equal ones are suspicious"
    )
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    submission: Mapped[Submission] = relationship(lazy="joined", innerjoin=True)


class Mark(Base):
    """What was said of a submission later: that it is a baseline, withdrawn, challenged, ..."""

    __tablename__ = "mark"
    __table_args__ = (CheckConstraint(one_of("kind", MARKS), name="kind"),)

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(100), doc="actor, as the audit log names it")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class SubsetSketch(Base):
    """A bottom-k sketch of a submission's unique uids: what near-duplicates are found by."""

    __tablename__ = "subset_sketch"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    subset_sha256: Mapped[str] = mapped_column(String(64), index=True)
    n_unique: Mapped[int] = mapped_column(BigInteger)
    hashes: Mapped[bytes] = mapped_column(doc="little-endian uint64, ascending, at most k")


class Overlap(Base):
    """Two accepted submissions whose subsets share much; found when the later one came in."""

    __tablename__ = "overlap"

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    other_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), primary_key=True, index=True)
    jaccard: Mapped[float] = mapped_column(Double)
    exact: Mapped[bool] = mapped_column(doc="the same multiset of uids")


append_only(Submission, SubmissionFile, Verdict, Result, Mark, SubsetSketch, Overlap)
