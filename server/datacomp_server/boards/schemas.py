"""What goes out over the API of boards."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from datacomp_leaderboard.rules import OFFICIAL
from datacomp_server.boards.models import Board, BoardRule
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
    rule: str = Field(description="The ranking rule in force, name and version.")
    rule_since: datetime

    @classmethod
    def of(cls, board: Board, ruling: BoardRule | None, moment: datetime) -> Self:
        """A board as everybody may see it at `moment`; without `ruling` its rule is official."""
        names = cls.model_fields.keys() - {"is_open", "rule", "rule_since"}
        facts = {name: getattr(board, name) for name in names}
        return cls(
            is_open=why_shut(board, moment) is None,
            rule=ruling.rule if ruling else OFFICIAL.id,
            rule_since=ruling.created_at if ruling else board.created_at,
            **facts,
        )


class BoardsOut(BaseModel):
    """Every board, by track and scale."""

    boards: list[BoardOut]


class SpreadOut(BaseModel):
    """A mean over training seeds, in the units of the metric."""

    mean: float
    stderr: float | None = Field(description="Of test noise and seeds; null if not known.")
    seed_sd: float | None = Field(description="Standard deviation over seeds; null for one seed.")
    low: float
    high: float


class RowOut(BaseModel):
    """A line of a board: a team's method on one pool, averaged over its training seeds."""

    rank: int | None = Field(description="From 1; null for what does not compete, or may not yet.")
    id: str = Field(description="Of its first submission.")
    team: str
    method: str
    scale: str
    recipe_id: str
    pool_id: str
    pool_size: int
    average: SpreadOut | None
    groups: dict[str, SpreadOut | None] = Field(description="By task group.")
    seeds: list[int]
    submissions: list[str] = Field(description="Those that count, by seed.")
    attempts: int = Field(description="Submissions, with those that a newer one replaced.")
    subset_size: int
    subset_unique: int
    oracle: bool = Field(description="Whether its subset was chosen with the pool's truth.")
    level: str = Field(description="How far it was verified: the lowest of its seeds.")
    submitted_at: datetime
    baseline: bool
    withdrawn: bool
    published: bool = Field(description="Copied from a paper: no submission, never ranked.")
    share_of_pool: float


class RankingOut(BaseModel):
    """A board with its rows, in the order that was asked for."""

    scale: str
    track: str
    sort: str
    rule: str = Field(description="The ranking rule in force, name and version.")
    chance: float | None = Field(description="The average of guessing, if it is known.")
    updated_at: datetime | None
    rows: list[RowOut]
