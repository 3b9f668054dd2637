"""The queue as anybody may see it: every job that waits or runs, where it stands, and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_server.jobs import repository
from datacomp_server.jobs.explanation import Reason, how_running, why_waiting
from datacomp_server.jobs.forecast import Forecast, forecast
from datacomp_server.jobs.line import Line, Machine, Running, Waiting
from datacomp_server.jobs.models import Job, JobAttempt
from datacomp_server.jobs.policy import SHARE_WINDOW, Policy, penalties

_PAST = 200  # successes of a class and kind that tell how long one takes


@dataclass(frozen=True)
class Standing:
    """A job that waits or runs. `place` and `of` are of a job that needs only a worker."""

    job: Job
    attempt: JobAttempt | None
    team: str | None
    method: str | None
    place: int | None
    of: int | None
    reason: Reason
    forecast: Forecast | None


@dataclass(frozen=True)
class WorkerSeen:
    """A worker, when it was last heard of, and whether that is lately enough to count on it."""

    name: str
    classes: tuple[str, ...]
    pools: tuple[str, ...]
    seen_at: datetime
    here: bool
    job_id: str | None


@dataclass(frozen=True)
class Queue:
    """Everything that waits (in the order of the line) or runs, and every worker."""

    moment: datetime
    running: tuple[Standing, ...]
    waiting: tuple[Standing, ...]
    workers: tuple[WorkerSeen, ...]


def load_queue(session: Session, policy: Policy, *, moment: datetime) -> Queue:
    """The queue at `moment`."""
    behind = penalties(repository.used_seconds(session, moment - SHARE_WINDOW, moment))
    waiting = repository.waiting(session, behind)
    running = repository.running(session)
    line = _line(session, policy, waiting, running, behind, moment)
    names = repository.submissions(
        session, {job.submission_id for job in _jobs(waiting, running) if job.submission_id}
    )
    forecasts = forecast(line)

    def standing(job: Job, attempt: JobAttempt | None, reason: Reason) -> Standing:
        team, method = names.get(job.submission_id or "", (None, None))
        place, of = line.places.get(job.id, (None, None))
        return Standing(job, attempt, team, method, place, of, reason, forecasts.get(job.id))

    return Queue(
        moment=moment,
        running=tuple(
            standing(job, attempt, how_running(fact, line))
            for (job, attempt), fact in zip(running, line.running, strict=True)
        ),
        waiting=tuple(
            standing(job, None, why_waiting(fact, line))
            for job, fact in zip(waiting, line.waiting, strict=True)
        ),
        workers=tuple(_worker(machine, line, running) for machine in line.machines),
    )


def standing_of(session: Session, policy: Policy, job: Job, *, moment: datetime) -> Standing | None:
    """How a job stands that waits or runs; None if it has ended."""
    if job.finished_at is not None:
        return None
    queue = load_queue(session, policy, moment=moment)
    return next(one for one in (*queue.running, *queue.waiting) if one.job.id == job.id)


def _line(
    session: Session,
    policy: Policy,
    waiting: Iterable[Job],
    running: Iterable[tuple[Job, JobAttempt]],
    behind: Mapping[str, int],
    moment: datetime,
) -> Line:
    unmet: dict[str, list[str]] = {}
    for need in repository.unmet_needs(session):
        unmet.setdefault(need.job_id, []).append(need.needs_id)
    tried: dict[str, set[str]] = {}
    for attempt in repository.attempts(session, [job.id for job in waiting if job.attempt]):
        tried.setdefault(attempt.job_id, set()).add(attempt.worker)
    kinds = {(job.resource, job.kind) for job in _jobs(waiting, running)}
    beats = {attempt.worker: attempt.last_beat_at for _, attempt in running}
    return Line(
        moment=moment,
        waiting=tuple(
            _waiting(
                job,
                behind=behind.get(job.team_id or "", 0),
                unmet=tuple(unmet.get(job.id, ())),
                tried=frozenset(tried.get(job.id, ())),
            )
            for job in waiting
        ),
        running=tuple(_running(job, attempt) for job, attempt in running),
        machines=tuple(
            Machine(
                name=worker.name,
                classes=frozenset(worker.classes),
                pools=frozenset(worker.pools),
                seen_at=max(worker.last_seen_at, beats.get(worker.name, worker.last_seen_at)),
            )
            for worker in repository.workers(session)
        ),
        durations={key: repository.past_durations(session, *key, _PAST) for key in sorted(kinds)},
        team_limit=policy.team_running_jobs,
        beat_seconds=policy.beat_seconds,
        retry_seconds=policy.retry_seconds,
    )


def _jobs(waiting: Iterable[Job], running: Iterable[tuple[Job, JobAttempt]]) -> list[Job]:
    return [*waiting, *(job for job, _ in running)]


def _waiting(job: Job, *, behind: int, unmet: tuple[str, ...], tried: frozenset[str]) -> Waiting:
    return Waiting(
        id=job.id,
        kind=job.kind,
        resource=job.resource,
        pool_id=job.pool_id,
        team_id=job.team_id,
        expected_seconds=job.expected_seconds,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        available_at=job.available_at,
        turn=job.turn,
        behind=behind,
        unmet=unmet,
        tried=tried,
    )


def _running(job: Job, attempt: JobAttempt) -> Running:
    assert job.lease_until is not None
    return Running(
        id=job.id,
        kind=job.kind,
        resource=job.resource,
        team_id=job.team_id,
        expected_seconds=job.expected_seconds,
        worker=attempt.worker,
        begun=job.status == "running",
        cancelling=job.cancel_requested_at is not None,
        started_at=attempt.started_at,
        last_beat_at=attempt.last_beat_at,
        lease_until=job.lease_until,
    )


def _worker(machine: Machine, line: Line, running: Iterable[tuple[Job, JobAttempt]]) -> WorkerSeen:
    job_id = next((job.id for job, _ in running if job.worker == machine.name), None)
    return WorkerSeen(
        name=machine.name,
        classes=tuple(sorted(machine.classes)),
        pools=tuple(sorted(machine.pools)),
        seen_at=machine.seen_at,
        here=line.is_here(machine),
        job_id=job_id,
    )
