"""What the pages of the queue show; sentences and times arrive as text. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

# An idle agent asks every ten seconds, one at work says every minute that it lives.
_LATELY = timedelta(minutes=2)
_AWAY = timedelta(minutes=15)


def presence(silence: timedelta, *, at_work: bool) -> str:
    """What a worker is that was last heard of so long ago: at work, idle, silent or away.

    `silent` is what is late, though the line still counts on it; `away` is what it does not.
    """
    silence = abs(silence)
    if silence <= _LATELY:
        return "at work" if at_work else "idle"
    return "silent" if silence <= _AWAY else "away"


_ULID = re.compile(r"\b([0-9A-HJKMNP-TV-Z]{26})\b")


def linked(text: str) -> tuple[tuple[str, bool], ...]:
    """A sentence in pieces: (piece, whether it is the id of a job)."""
    pieces = _ULID.split(text)
    return tuple((piece, at % 2 == 1) for at, piece in enumerate(pieces) if piece)


@dataclass(frozen=True)
class Work:
    """Which job it is, and whose; `submission_id`, `team` and `method` are there together."""

    id: str
    kind: str
    resource: str
    submission_id: str | None
    team: str | None
    method: str | None


@dataclass(frozen=True)
class QueueLine:
    """A job that waits or runs. `share` is how much of it is done, from 0 to 1, if it says so.

    `starts` and `ends` are about when, as text: `in 2 min to 9 min`; None if nobody can say.
    `reason` is in pieces, as `linked` gives them.
    """

    work: Work
    reason: tuple[tuple[str, bool], ...]
    place: int | None
    starts: str | None
    ends: str | None
    attempt: int
    max_attempts: int
    stage: str | None
    share: float | None


@dataclass(frozen=True)
class WorkerLine:
    """A worker; `state` is as `presence` says, `seen` how long ago it was heard of."""

    name: str
    classes: tuple[str, ...]
    seen: str
    state: str
    job_id: str | None


@dataclass(frozen=True)
class ClassLine:
    """A line of its own: how many wait and run, how many workers take them, by what these are.

    `clears` is until about when all that waits now has ended; None if nobody can say.
    """

    resource: str
    n_waiting: int
    n_running: int
    at_work: int
    idle: int
    silent: int
    away: int
    clears: str | None


@dataclass(frozen=True)
class TeamUse:
    """What workers' time a team was charged on a board, of what it was granted; in seconds."""

    team: str
    scale: str
    track: str
    charged: int
    granted: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.charged / self.granted) if self.granted else 1.0


@dataclass(frozen=True)
class QueuePage:
    """Every job that runs, the first of `n_waiting` that wait, and every worker, at `moment`."""

    template: ClassVar[str] = "queue.html"

    title: str
    moment: datetime
    classes: tuple[ClassLine, ...]
    running: tuple[QueueLine, ...]
    waiting: tuple[QueueLine, ...]
    n_waiting: int
    workers: tuple[WorkerLine, ...]
    n_heard: int
    teams: tuple[TeamUse, ...]
    n_teams: int
    json_url: str


@dataclass(frozen=True)
class AttemptLine:
    """One lease of a job; `ending` is `running` while it lasts."""

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    ending: str
    fault: str | None


@dataclass(frozen=True)
class JobPage:
    """One job; `line` is how it stands while it waits or runs."""

    template: ClassVar[str] = "job.html"

    title: str
    work: Work
    status: str
    fault: str | None
    detail: str | None
    created_at: datetime
    finished_at: datetime | None
    needs: tuple[str, ...]
    attempts: tuple[AttemptLine, ...]
    outputs: tuple[tuple[str, str], ...]
    line: QueueLine | None
    json_url: str
