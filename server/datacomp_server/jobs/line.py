"""The line as it stands at one moment: what waits, what runs, which machines there are. Pure.

Why a job waits is `explanation`'s business, until when is `forecast`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from datacomp_server.jobs.models import SERVICE
from datacomp_server.jobs.policy import SEEN_WINDOW


@dataclass(frozen=True)
class Waiting:
    """A job that is queued. `unmet` are the ids of jobs that it needs and that have not ended.

    `behind` is by how many seconds its `turn` is put back for what its team used of late; `tried`
    are the workers that had it before.
    """

    id: str
    kind: str
    resource: str
    pool_id: str | None
    team_id: str | None
    expected_seconds: int
    attempt: int
    max_attempts: int
    available_at: datetime
    turn: int = 0
    behind: int = 0
    unmet: tuple[str, ...] = ()
    tried: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Running:
    """A job in a worker's hands."""

    id: str
    kind: str
    resource: str
    team_id: str | None
    expected_seconds: int
    worker: str
    begun: bool
    cancelling: bool
    started_at: datetime
    last_beat_at: datetime
    lease_until: datetime


@dataclass(frozen=True)
class Machine:
    """A worker, and when it last asked for a job or beat."""

    name: str
    classes: frozenset[str]
    pools: frozenset[str]
    seen_at: datetime


@dataclass(frozen=True)
class Line:
    """Everything; `waiting` in the order in which it is claimed.

    `durations` are the seconds of past successes by resource class and kind.
    """

    moment: datetime
    waiting: tuple[Waiting, ...]
    running: tuple[Running, ...]
    machines: tuple[Machine, ...]
    durations: Mapping[tuple[str, str], tuple[int, ...]]
    team_limit: int
    beat_seconds: int
    retry_seconds: int

    def takes(self, machine: Machine, job: Waiting) -> bool:
        """Whether a machine could do a job."""
        has_pool = job.pool_id is None or job.pool_id in machine.pools
        return job.resource in machine.classes and has_pool

    def is_here(self, machine: Machine) -> bool:
        """Whether a machine was seen lately."""
        return abs(self.moment - machine.seen_at) <= SEEN_WINDOW

    @cached_property
    def states(self) -> Mapping[str, tuple[str, str]]:
        """Kind and state (`waiting`, `running`) of each job."""
        running = {job.id: (job.kind, "running") for job in self.running}
        return running | {job.id: (job.kind, "waiting") for job in self.waiting}

    @cached_property
    def places(self) -> Mapping[str, tuple[int, int]]:
        """Place (1, 2, ...) and length of its class's line, of jobs that need only a worker."""
        return {
            job.id: (place, len(jobs))
            for jobs in self._lines.values()
            for place, job in enumerate(jobs, 1)
        }

    def overtaken_by(self, job: Waiting) -> int:
        """How many jobs stand before it in its class's line that without shares stood behind."""
        line = self._lines[job.resource]
        before = line[: self.places[job.id][0] - 1]
        return sum((one.turn, one.id) > (job.turn, job.id) for one in before)

    @cached_property
    def _lines(self) -> Mapping[str, list[Waiting]]:
        lines: dict[str, list[Waiting]] = {}
        for job in self.waiting:
            if not job.unmet:
                lines.setdefault(job.resource, []).append(job)
        return lines


def service_machine(moment: datetime) -> Machine:
    """What does the service's own jobs: whoever looks at the line looks at it."""
    return Machine(SERVICE, frozenset({SERVICE}), frozenset(), moment)


def told(span: timedelta) -> str:
    """A span of time for people: `12 s`, `42 min`, `5 h`, `3 days`."""
    seconds = max(0, int(span.total_seconds()))
    for limit, size, unit in ((120, 1, "s"), (120 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86400} days"
