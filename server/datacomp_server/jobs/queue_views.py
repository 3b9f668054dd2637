"""The queue and its jobs in the form in which the API shows them."""

from sqlalchemy.orm import Session

from datacomp_server.jobs import repository
from datacomp_server.jobs.forecast import Span
from datacomp_server.jobs.models import LIVE, Job
from datacomp_server.jobs.queue import Queue, Standing
from datacomp_server.jobs.schemas import (
    AttemptOut,
    JobOut,
    JobOutputOut,
    QueuedJobOut,
    QueueOut,
    SpanOut,
    WaitReasonOut,
    WorkerOut,
)


def queue_out(queue: Queue) -> QueueOut:
    """The queue."""
    return QueueOut(
        updated_at=queue.moment,
        running=[queued_job_out(one) for one in queue.running],
        waiting=[queued_job_out(one) for one in queue.waiting],
        workers=[
            WorkerOut(
                name=worker.name,
                classes=list(worker.classes),
                pools=list(worker.pools),
                seen_at=worker.seen_at,
                here=worker.here,
                job_id=worker.job_id,
            )
            for worker in queue.workers
        ],
    )


_NAMES = "id kind status resource pool_id submission_id priority attempt max_attempts created_at"
OF_JOB = tuple(_NAMES.split())
"""What a job shows of its row, in the line and out of it."""


def queued_job_out(standing: Standing) -> QueuedJobOut:
    """A job of the queue."""
    job, attempt, said = standing.job, standing.attempt, standing.forecast
    return QueuedJobOut(
        team=standing.team,
        method=standing.method,
        place=standing.place,
        of=standing.of,
        reason=WaitReasonOut(code=standing.reason.code, text=standing.reason.text),
        starts=_span(said.starts) if said else None,
        ends=_span(said.ends) if said else None,
        worker=job.worker,
        started_at=attempt.started_at if attempt else None,
        last_beat_at=attempt.last_beat_at if attempt else None,
        progress=job.progress,
        **{name: getattr(job, name) for name in OF_JOB},
    )


def job_out(session: Session, job: Job, standing: Standing | None, *, private: bool) -> JobOut:
    """A job; `private` says whether the reader may see what is its team's alone."""
    names = repository.submissions(session, [job.submission_id] if job.submission_id else [])
    team, method = names.get(job.submission_id or "", (None, None))
    of_attempt = tuple(AttemptOut.model_fields)
    return JobOut(
        team=team,
        method=method,
        fault=job.fault,
        detail=job.detail if private or job.fault != "user" else None,
        cancel_requested=job.cancel_requested_at is not None,
        finished_at=job.finished_at,
        needs=[need.needs_id for need in repository.needs(session, [job.id])],
        attempts=[
            AttemptOut(**{name: getattr(attempt, name) for name in of_attempt})
            for attempt in repository.attempts(session, [job.id])
        ],
        outputs=[
            JobOutputOut(role=output.role, sha256=output.sha256, facts=output.facts)
            for output in repository.outputs(session, [job.id])
        ],
        queued=queued_job_out(standing) if standing and job.status in ("queued", *LIVE) else None,
        **{name: getattr(job, name) for name in OF_JOB},
    )


def _span(span: Span | None) -> SpanOut | None:
    return SpanOut(earliest=span.earliest, latest=span.latest) if span else None
