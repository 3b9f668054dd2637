"""Statements about what boards show; decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp_leaderboard.entries import TaskValues
from datacomp_server.boards.models import Board
from datacomp_server.identity.models import Team
from datacomp_server.submissions.models import Result, Submission

_BATCH = 500


@dataclass(frozen=True)
class Shown:
    """A result as boards need it, with what they show of its submission; of thousands at once
    plain columns cost a quarter of what objects of the session do.
    """

    id: str
    submission_id: str
    source: str
    suite_sha256: str
    recipe_id: str
    pool_id: str
    pool_size: int
    seed: int
    subset_n: int
    subset_unique: int
    average: float | None
    average_stderr: float | None
    groups: dict[str, Any]
    created_at: datetime
    team: str
    method: str
    scale: str
    oracle: bool
    submitted_at: datetime


_OF_SUBMISSION = {
    "team": Team.name,
    "method": Submission.method,
    "scale": Board.scale,
    "oracle": Submission.oracle,
    "submitted_at": Submission.created_at,
}


def _column(name: str) -> Any:
    return _OF_SUBMISSION[name] if name in _OF_SUBMISSION else getattr(Result, name)


_SHOWN = (
    select(*(_column(field.name) for field in fields(Shown)))
    .join(Submission, Submission.id == Result.submission_id)
    .join(Team, Team.id == Submission.team_id)
    .join(Board, Board.id == Submission.board_id)
    .order_by(Result.created_at, Result.id)
)


def results(
    session: Session,
    track: str,
    scale: str | None = None,
    *,
    of: tuple[str, str] | None = None,
    until: datetime | None = None,
) -> list[Shown]:
    """Every result of a track, or of a scale of it, oldest first.

    `of` one team (id) and method; those that were there at the moment `until`.
    """
    statement = _SHOWN.where(Board.track == track)
    if scale is not None:
        statement = statement.where(Board.scale == scale)
    if of is not None:
        statement = statement.where(Submission.team_id == of[0], Submission.method == of[1])
    if until is not None:
        statement = statement.where(Result.created_at <= until)
    return [Shown(*row) for row in session.execute(statement)]


def tasks_of(session: Session, result_ids: Sequence[str]) -> dict[str, TaskValues]:
    """The task values of these results, by their ids.

    They are ten times as much to read as all else of a result, and never change: who makes boards
    again and again asks for those of new results alone.
    """
    found = {}
    for start in range(0, len(result_ids), _BATCH):
        some = result_ids[start : start + _BATCH]
        statement = select(Result.id, Result.tasks).where(Result.id.in_(some))
        for result_id, tasks in session.execute(statement):
            found[result_id] = TaskValues(tasks["values"], tasks["stderrs"])
    return found
