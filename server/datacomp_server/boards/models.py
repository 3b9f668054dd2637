"""The table of boards: a track at a scale by one version of an evaluation suite."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime, append_only, one_of
from datacomp_server.kit.ids import new_id

TRACKS = ("filtering", "byod")


class Board(Base):
    """One competition within the competition. Closed ones stay, with everything in them.

    Open from `opens_at` on, until before `closes_at`. What a team may spend here, until an
    organiser grants more, are `submissions_per_team` and `compute_seconds_per_team`.
    """

    __tablename__ = "board"
    __table_args__ = (
        CheckConstraint(one_of("track", TRACKS), name="track"),
        CheckConstraint("closes_at IS NULL OR opens_at < closes_at", name="opens_before_it_closes"),
        UniqueConstraint("track", "scale", "suite_sha256"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    track: Mapped[str] = mapped_column(String(20))
    scale: Mapped[str] = mapped_column(String(20))
    suite: Mapped[str] = mapped_column(String(200))
    suite_sha256: Mapped[str] = mapped_column(String(64))
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    closes_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submissions_per_team: Mapped[int] = mapped_column(BigInteger)
    compute_seconds_per_team: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class BoardRule(Base):
    """From when on a board ranks by a rule: until the next row of it. Before the first: official.

    Rows are only added, so that every day's board can be made again.
    """

    __tablename__ = "board_rule"

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id"), index=True)
    rule: Mapped[str] = mapped_column(String(60), doc="name and version, such as official/2")
    by: Mapped[str] = mapped_column(String(100), doc="actor, as the audit log names it")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Published(Base):
    """A number of a paper, shown beside what is handed in; nothing of it was measured here.

    A table of its own, for nobody submitted it: no team, report, subset, seed or task is known,
    and none is made up. `groups` is `{name: value}`; `link` leads to the source.
    """

    __tablename__ = "published"

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id"), index=True)
    source: Mapped[str] = mapped_column(String(60), doc="in the place of a team: DataComp paper")
    place: Mapped[str] = mapped_column(String(60), doc="where in the source: Table 3")
    link: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(100))
    samples: Mapped[int] = mapped_column(BigInteger, doc="of the subset, as rounded there")
    pool_size: Mapped[int] = mapped_column(BigInteger)
    average: Mapped[float] = mapped_column(Double)
    groups: Mapped[dict[str, float]] = mapped_column(JSON)
    published_at: Mapped[datetime] = mapped_column(UtcDateTime, doc="when the source appeared")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


append_only(BoardRule, Published)
