"""The page of a job: what its API shows, as people read it."""

import time
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp_leaderboard.queue_pages import AttemptLine, JobPage
from datacomp_leaderboard.queue_tables import job_tables
from datacomp_server.boards.data import Source, Version
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.jobs import repository
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.queue import standing_of
from datacomp_server.jobs.queue_page import line_of, work_of
from datacomp_server.jobs.queue_views import job_out
from datacomp_server.jobs.schemas import JobOut
from datacomp_server.kit.errors import NotFound


def job(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """One job; `NotFound` if there is none."""
    only(query)
    found = repository.by_id(source.session, params["job_id"])
    if found is None:
        raise NotFound("there is no such job")
    policy, moment = Policy.of(source.settings), source.moment
    standing = standing_of(source.session, policy, found, moment=moment)
    page = _job(job_out(source.session, found, standing, private=False), moment)
    return Made(page, lambda: job_tables(page))


def version(session: Session, params: Mapping[str, str]) -> Version:
    """Changes always, until the job has ended: times pass."""
    found = repository.by_id(session, params["job_id"])
    ended = found is not None and found.finished_at is not None
    return ("ended",) if ended else (time.monotonic_ns(),)


def _job(job: JobOut, moment: datetime) -> JobPage:
    return JobPage(
        title=f"{job.kind} job {job.id}",
        work=work_of(job),
        status=job.status,
        fault=job.fault,
        detail=job.detail,
        created_at=job.created_at,
        finished_at=job.finished_at,
        needs=tuple(job.needs),
        attempts=tuple(
            AttemptLine(
                attempt=one.attempt,
                worker=one.worker,
                started_at=one.started_at,
                ended_at=one.ended_at,
                ending=one.ending or "running",
                fault=one.fault,
            )
            for one in job.attempts
        ),
        outputs=tuple((one.role, one.sha256) for one in job.outputs),
        line=line_of(job.queued, moment) if job.queued else None,
        json_url=f"/api/v1/jobs/{job.id}",
    )
