"""The page of a job: what its API shows, as people read it; and the queue for programs."""

from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from datacomp_leaderboard.queue_pages import AttemptLine, JobPage
from datacomp_leaderboard.render import render
from datacomp_server.context import Context
from datacomp_server.jobs import service
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.queue import load_queue, standing_of
from datacomp_server.jobs.queue_page import line_of, work_of
from datacomp_server.jobs.queue_views import queue_out
from datacomp_server.jobs.schemas import JobOut
from datacomp_server.jobs.views import job_out
from datacomp_server.kit.packed import JSON, Forms, pack
from datacomp_server.submissions.endpoints import ContextDep

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def queue_json(context: Context) -> Forms:
    """The queue as JSON; the longer it is, the longer this takes."""
    with context.database.reading() as session:
        found = load_queue(session, Policy.of(context.settings), moment=context.clock())
    return pack({JSON: queue_out(found).model_dump_json()})


@router.get("/j/{job_id}")
def job_page(job_id: str, context: ContextDep) -> str:
    """One job."""
    policy, moment = Policy.of(context.settings), context.clock()
    with context.database.reading() as session:
        job = service.get(session, job_id)
        standing = standing_of(session, policy, job, moment=moment)
        return render(_job(job_out(session, job, standing, private=False), moment))


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
