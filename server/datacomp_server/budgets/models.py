"""The ledger. A balance is the sum of its rows; rows are only ever added."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime, one_of
from datacomp_server.kit.ids import new_id

UNITS = ("compute_seconds", "submissions")
REASONS = ("grant", "charge", "refund")


class LedgerEntry(Base):
    """A change of what a team may spend on a board: worker seconds, or submissions.

    Charges are negative. A job is charged once, when it is planned, and refunded at most once:
    wholly, if infrastructure failed or nobody had begun it.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint(one_of("unit", UNITS), name="unit"),
        CheckConstraint(one_of("reason", REASONS), name="reason"),
        CheckConstraint("(reason = 'charge') = (amount < 0)", name="sign"),
        UniqueConstraint("job_id", "reason"),
        # the amount, too, so that a sum reads the index alone
        Index("ix_ledger_entry_sums", "team_id", "board_id", "unit", "reason", "amount"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)
    team_id: Mapped[str] = mapped_column(ForeignKey("team.id"))
    board_id: Mapped[str] = mapped_column(ForeignKey("board.id"))
    unit: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"))
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"))
    by: Mapped[str] = mapped_column(String(100), doc="actor, as the audit log names it")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
