"""The pages of the queue and of a job: what their API shows, as people read it."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from datacomp_leaderboard.queue_pages import (
    AttemptLine,
    JobPage,
    QueueLine,
    QueuePage,
    Work,
    WorkerLine,
)
from datacomp_leaderboard.render import render
from datacomp_server.context import Context
from datacomp_server.jobs import service
from datacomp_server.jobs.line import told
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.queue import Queue, load_queue, standing_of
from datacomp_server.jobs.schemas import JobOut, QueuedJobOut, SpanOut
from datacomp_server.jobs.views import job_out, queue_out
from datacomp_server.kit.packed import HTML, JSON, Forms, pack, respond
from datacomp_server.submissions.endpoints import ContextDep

WAITING_SHOWN = 200

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def queue_forms(context: Context) -> Forms:
    """The queue as a page and as JSON; the longer it is, the longer this takes."""
    with context.database.reading() as session:
        found = load_queue(session, Policy.of(context.settings), moment=context.clock())
    return pack({HTML: render(_queue(found)), JSON: queue_out(found).model_dump_json()})


@router.get("/queue")
async def queue_page(request: Request) -> Response:
    """Every job that waits or runs."""
    return respond(request, await request.app.state.queue.get(), HTML)


@router.get("/j/{job_id}")
def job_page(job_id: str, context: ContextDep) -> str:
    """One job."""
    policy, moment = Policy.of(context.settings), context.clock()
    with context.database.reading() as session:
        job = service.get(session, job_id)
        standing = standing_of(session, policy, job, moment=moment)
        return render(_job(job_out(session, job, standing, private=False), moment))


def _queue(queue: Queue) -> QueuePage:
    out, moment = queue_out(queue), queue.moment
    workers = tuple(
        WorkerLine(one.name, tuple(one.classes), told(moment - one.seen_at), one.here, one.job_id)
        for one in out.workers
    )
    return QueuePage(
        title="Queue",
        moment=moment,
        running=tuple(_line(one, moment) for one in out.running),
        waiting=tuple(_line(one, moment) for one in out.waiting[:WAITING_SHOWN]),
        n_waiting=len(out.waiting),
        workers=workers,
        n_here=sum(worker.here for worker in workers),
        json_url="/api/v1/queue",
    )


def _job(job: JobOut, moment: datetime) -> JobPage:
    return JobPage(
        title=f"{job.kind} job {job.id}",
        work=_work(job),
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
        line=_line(job.queued, moment) if job.queued else None,
        json_url=f"/api/v1/jobs/{job.id}",
    )


def _work(job: JobOut | QueuedJobOut) -> Work:
    return Work(**{field.name: getattr(job, field.name) for field in fields(Work)})


def _line(job: QueuedJobOut, moment: datetime) -> QueueLine:
    progress: dict[str, Any] = job.progress or {}
    done, total = progress.get("done"), progress.get("total")
    return QueueLine(
        work=_work(job),
        reason=job.reason.text,
        place=job.place,
        starts=_about(job.starts, moment),
        ends=_about(job.ends, moment),
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        stage=progress.get("stage"),
        share=min(1.0, done / total) if done is not None and total else None,
    )


def _about(span: SpanOut | None, moment: datetime) -> str | None:
    if span is None:
        return None
    earliest, latest = told(span.earliest - moment), told(span.latest - moment)
    if span.latest <= moment:
        return "now"
    if span.earliest <= moment:
        return f"within {latest}"
    return f"in {latest}" if earliest == latest else f"in {earliest} to {latest}"
