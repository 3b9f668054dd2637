"""The table of events: a chain, each row with the hash of the one before it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.db import Base, UtcDateTime, append_only


class Event(Base):
    """One thing that happened. `seq` counts 1, 2, 3 without a gap; rows are only ever added.

    `sha256` is of the canonical JSON of all other fields, `previous` among them. Nothing secret
    and nothing private goes in here: everything public is exported.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_subject_id", "subject_id"),
        Index("ix_event_tag_seq", "tag", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    tag: Mapped[str] = mapped_column(String(60), doc="source:action, e.g. submission:accepted")
    subject_id: Mapped[str | None] = mapped_column(String(26))
    actor: Mapped[str] = mapped_column(
        String(100), doc="team:NAME, worker:NAME, organiser:NAME, ..."
    )
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)


append_only(Event)
