"""From the queue at one moment to the page of it."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_leaderboard.queue_pages import (
    ClassLine,
    QueueLine,
    QueuePage,
    TeamUse,
    Work,
    WorkerLine,
    linked,
    presence,
)
from datacomp_leaderboard.queue_tables import queue_tables
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.budgets import repository as budgets
from datacomp_server.jobs.line import told
from datacomp_server.jobs.models import SERVICE
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.queue import Queue, WorkerSeen, load_queue
from datacomp_server.jobs.queue_views import queue_out
from datacomp_server.jobs.schemas import JobOut, QueuedJobOut, QueueOut, SpanOut

WAITING_SHOWN = 200
TEAMS_SHOWN = 100


def queue(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The page of the queue, with every job in its table."""
    only(query)
    found = load_queue(source.session, Policy.of(source.settings), moment=source.moment)
    page, out = queue_page_of(source.session, found), queue_out(found)
    return Made(page, lambda: queue_tables(page, (*out.running, *out.waiting)))


def version(session: Session, params: Mapping[str, str]) -> Version:
    """Changes always: times pass without a change in the database."""
    return (time.monotonic_ns(),)


def queue_page_of(session: Session, queue: Queue) -> QueuePage:
    """The page; every job that waits is counted, the first 200 are shown."""
    out, moment = queue_out(queue), queue.moment
    workers = tuple(_worker(one, moment) for one in queue.workers)
    teams = sorted(_teams(session), key=lambda one: (-one.charged, one.team, one.scale))
    return QueuePage(
        title="Queue",
        moment=moment,
        classes=tuple(_classes(out, queue.workers, moment)),
        running=tuple(line_of(one, moment) for one in out.running),
        waiting=tuple(line_of(one, moment) for one in out.waiting[:WAITING_SHOWN]),
        n_waiting=len(out.waiting),
        workers=workers,
        n_heard=sum(worker.state in ("at work", "idle") for worker in workers),
        teams=tuple(teams[:TEAMS_SHOWN]),
        n_teams=len(teams),
        json_url="/api/v1/queue",
    )


def line_of(job: QueuedJobOut, moment: datetime) -> QueueLine:
    """A job that waits or runs."""
    progress: dict[str, Any] = job.progress or {}
    done, total = progress.get("done"), progress.get("total")
    return QueueLine(
        work=work_of(job),
        reason=linked(job.reason.text),
        place=job.place,
        starts=_about(job.starts, moment),
        ends=_about(job.ends, moment),
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        stage=progress.get("stage"),
        share=min(1.0, done / total) if done is not None and total else None,
    )


def work_of(job: JobOut | QueuedJobOut) -> Work:
    """Which job it is."""
    return Work(**{field.name: getattr(job, field.name) for field in fields(Work)})


def _state(worker: WorkerSeen, moment: datetime) -> str:
    return presence(moment - worker.seen_at, at_work=worker.job_id is not None)


def _worker(worker: WorkerSeen, moment: datetime) -> WorkerLine:
    return WorkerLine(
        name=worker.name,
        classes=worker.classes,
        seen=told(moment - worker.seen_at),
        state=_state(worker, moment),
        job_id=worker.job_id,
    )


def _classes(out: QueueOut, workers: Sequence[WorkerSeen], moment: datetime) -> Iterator[ClassLine]:
    waiting = Counter(job.resource for job in out.waiting)
    running = Counter(job.resource for job in out.running)
    taken = {one for worker in workers for one in worker.classes}
    for resource in sorted({*waiting, *running, *taken} - {SERVICE}):
        states = Counter(_state(one, moment) for one in workers if resource in one.classes)
        ends = [job.ends for job in (*out.waiting, *out.running) if job.resource == resource]
        known = [span for span in ends if span is not None]
        last = max(known, key=lambda span: span.latest, default=None)
        yield ClassLine(
            resource=resource,
            n_waiting=waiting[resource],
            n_running=running[resource],
            at_work=states["at work"],
            idle=states["idle"],
            silent=states["silent"],
            away=states["away"],
            clears=_about(last, moment) if len(known) == len(ends) else None,
        )


def _teams(session: Session) -> Iterator[TeamUse]:
    for use in budgets.seconds_by_team(session):
        if use.charged > 0:
            yield TeamUse(use.team, use.scale, use.track, use.charged, use.granted)


def _about(span: SpanOut | None, moment: datetime) -> str | None:
    if span is None:
        return None
    earliest, latest = told(span.earliest - moment), told(span.latest - moment)
    if span.latest <= moment:
        return "now"
    if span.earliest <= moment:
        return f"within {latest}"
    return f"in {latest}" if earliest == latest else f"in {earliest} to {latest}"
