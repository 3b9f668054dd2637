"""Until when about: the line played forward twice, with quick and with slow jobs. Pure.

How long a job takes is between the 10th and the 90th percentile of past successes of its class and
kind; with fewer than five of them, between half and twice what was expected of it. Jobs start in
the order of the line, each on the machine that is free first; what no machine that was seen lately
can take has no forecast.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from statistics import quantiles

from datacomp_server.jobs.line import Line, Running, Waiting, service_machine
from datacomp_server.jobs.models import SERVICE

_ENOUGH = 5


@dataclass(frozen=True)
class Span:
    """Between two moments."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True)
class Forecast:
    """When a job begins (None if it runs already) and ends."""

    starts: Span | None
    ends: Span


def forecast(line: Line) -> dict[str, Forecast]:
    """What can be said of each job."""
    quick, slow = (_play(line, _seconds(line, which)) for which in (0, 1))
    found = {}
    for job_id, (start, end) in quick.items():
        slow_start, slow_end = slow[job_id]
        starts = None if start is None or slow_start is None else Span(start, slow_start)
        found[job_id] = Forecast(starts, Span(end, slow_end))
    return found


def band(durations: tuple[int, ...], expected_seconds: int) -> tuple[float, float]:
    """Seconds of a quick and of a slow job."""
    if len(durations) < _ENOUGH:
        return expected_seconds / 2, expected_seconds * 2
    tenths = quantiles(durations, n=10, method="inclusive")
    return tenths[0], tenths[-1]


_Times = dict[str, tuple[datetime | None, datetime]]
_Seconds = Callable[[Waiting | Running], timedelta]


def _seconds(line: Line, which: int) -> _Seconds:
    @cache
    def known(resource: str, kind: str, expected_seconds: int) -> float:
        return band(line.durations.get((resource, kind), ()), expected_seconds)[which]

    def of(job: Waiting | Running) -> timedelta:
        return timedelta(seconds=known(job.resource, job.kind, job.expected_seconds))

    return of


def _play(line: Line, seconds: _Seconds) -> _Times:
    play = _Play(line, seconds)
    for running in line.running:
        play.go_on(running)
    pending, left = list(line.waiting), -1
    while pending and len(pending) != left:  # a job may stand before one that it needs
        left, again = len(pending), []
        for job in pending:
            if all(one in play.times for one in job.unmet):
                play.start(job)
            else:
                again.append(job)
        pending = again
    return play.times


class _Play:
    """The line played forward: when each machine is free, and each job ends."""

    def __init__(self, line: Line, seconds: _Seconds) -> None:
        self.line, self.seconds = line, seconds
        self.times: _Times = {}
        here = [one for one in line.machines if line.is_here(one)]
        self.machines = [*here, service_machine(line.moment)]
        self.free = {one.name: line.moment for one in self.machines}
        self.ends: dict[str, list[datetime]] = {}  # of each team's jobs, latest last

    def go_on(self, job: Running) -> None:
        """A job that runs already."""
        end = max(self.line.moment, job.started_at + self.seconds(job))
        self._note(job, SERVICE if job.resource == SERVICE else job.worker, None, end)

    def start(self, job: Waiting) -> None:
        """A job whose needs have their ends; nothing, if no machine can take it."""
        names = [one.name for one in self.machines if self.line.takes(one, job)]
        if not names:
            return
        name = min(names, key=lambda one: (self.free[one], one))
        ready = [self.times[one][1] for one in job.unmet]
        begin = max(self.free[name], job.available_at, self._room(job), *ready)
        self._note(job, name, begin, begin + self.seconds(job))

    def _room(self, job: Waiting) -> datetime:
        ends = self.ends.get(job.team_id or "", [])
        limit = self.line.team_limit
        limited = job.resource != SERVICE and len(ends) >= limit
        return ends[-limit] if limited else self.line.moment

    def _note(
        self, job: Waiting | Running, name: str, begin: datetime | None, end: datetime
    ) -> None:
        self.times[job.id] = begin, end
        self.free[name] = max(end, self.free.get(name, end))
        if job.team_id is not None and job.resource != SERVICE:
            insort(self.ends.setdefault(job.team_id, []), end)
