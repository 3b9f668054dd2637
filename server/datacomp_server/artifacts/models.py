"""The table of artifacts: what the store should hold."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from datacomp_server.kit.clock import now
from datacomp_server.kit.db import Base, UtcDateTime


class Artifact(Base):
    """One file of the store."""

    __tablename__ = "artifact"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
