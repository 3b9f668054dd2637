"""What goes out over the API of boards."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from datacomp_server.boards.models import Board
from datacomp_server.boards.opening import why_shut


class BoardOut(BaseModel):
    """A track at a scale by one version of a suite."""

    id: str
    track: str
    scale: str
    suite: str
    suite_sha256: str
    is_open: bool = Field(description="Whether it takes submissions now.")
    opens_at: datetime
    closes_at: datetime | None
    submissions_per_team: int
    compute_seconds_per_team: int

    @classmethod
    def of(cls, board: Board, moment: datetime) -> Self:
        """A board as everybody may see it at `moment`."""
        names = cls.model_fields.keys() - {"is_open"}
        facts = {name: getattr(board, name) for name in names}
        return cls(is_open=why_shut(board, moment) is None, **facts)


class BoardsOut(BaseModel):
    """Every board, by track and scale."""

    boards: list[BoardOut]
