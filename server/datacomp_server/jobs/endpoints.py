"""Routes of the queue and of jobs: what stands where and why, logs, cancellation, plans."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from datacomp_server.context import Context
from datacomp_server.identity.auth import NEEDS_TOKEN, MaybeCaller, Reader, Steward
from datacomp_server.jobs import logs, plans, service
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.queue import load_queue, standing_of
from datacomp_server.jobs.queue_views import job_out, queue_out
from datacomp_server.jobs.schemas import (
    JobOut,
    LogOut,
    PlanOut,
    QueueOut,
    UlidOfPath,
    VerificationIn,
    VerificationOut,
)
from datacomp_server.jobs.views import plan_out, verification_out
from datacomp_server.kit.errors import ErrorOut
from datacomp_server.kit.packed import JSON, UNCHANGED, Forms, pack, respond
from datacomp_server.submissions import service as submissions
from datacomp_server.submissions.endpoints import ContextDep
from datacomp_server.verification.service import standing

router = APIRouter(prefix="/api/v1", tags=["queue"])

_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "No such job, or not for this caller"},
    422: {"model": ErrorOut, "description": "The request does not follow its schema"},
}
_MAYBE: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "A token was given that is not good"}
}


def queue_json(context: Context) -> Forms:
    """The queue as JSON; the longer it is, the longer this takes."""
    with context.database.reading() as session:
        found = load_queue(session, Policy.of(context.settings), moment=context.clock())
    return pack({JSON: queue_out(found).model_dump_json()})


@router.get("/queue", response_model=QueueOut, responses={304: UNCHANGED})
async def get_queue(request: Request) -> Response:
    """Every job that waits or runs: where it stands, why, and until when about."""
    return respond(request, await request.app.state.queue.get(), JSON)


@router.get("/jobs/{job_id}", responses={**_NOT_FOUND, **_MAYBE})
def get_job(job_id: UlidOfPath, caller: MaybeCaller, context: ContextDep) -> JobOut:
    """One job, with its attempts. Its team sees why what it submitted failed."""
    with context.database.reading() as session:
        job = service.get(session, job_id)
        private = service.may_read_private(session, caller, job)
        policy, moment = Policy.of(context.settings), context.clock()
        standing = standing_of(session, policy, job, moment=moment)
        return job_out(session, job, standing, private=private)


@router.get("/jobs/{job_id}/log", responses={**NEEDS_TOKEN, **_NOT_FOUND})
def get_job_log(
    job_id: UlidOfPath,
    caller: Reader,
    context: ContextDep,
    offset: Annotated[int, Query(ge=0, le=2**53, description="First byte.")] = 0,
    attempt: Annotated[int | None, Query(ge=1, le=100, description="Default: the newest.")] = None,
) -> LogOut:
    """A stretch of a job's log, for its team and for organisers."""
    with context.database.reading() as session:
        job = service.get_private(session, caller, job_id)
        page = logs.read(session, Policy.of(context.settings), job, offset, attempt=attempt)
        return LogOut(**vars(page))


@router.post(
    "/jobs/{job_id}/cancel",
    responses={
        **NEEDS_TOKEN,
        **_NOT_FOUND,
        409: {"model": ErrorOut, "description": "It has succeeded or failed already"},
    },
)
def cancel_job(job_id: UlidOfPath, caller: Steward, context: ContextDep) -> JobOut:
    """Take a job that its team pays for out of the line, or that runs from its worker's hands.

    The worker is told at its next beat. Organisers cancel every job.
    """
    policy, moment = Policy.of(context.settings), context.clock()
    with context.database.writing() as session:
        job = service.cancel_for(session, caller, job_id, moment=moment)
        standing = standing_of(session, policy, job, moment=moment)
        return job_out(session, job, standing, private=True)


@router.post(
    "/submissions/{submission_id}/verification",
    status_code=201,
    responses={
        **NEEDS_TOKEN,
        **_NOT_FOUND,
        400: {"model": ErrorOut, "description": "The body cannot be read"},
        409: {"model": ErrorOut, "description": "That is planned or done already"},
        413: {"model": ErrorOut, "description": "The body is too large"},
        422: {"model": ErrorOut, "description": "Files are missing, or the budget is spent"},
    },
)
def request_verification(
    submission_id: UlidOfPath, body: VerificationIn, caller: Steward, context: ContextDep
) -> PlanOut:
    """Have a submission evaluated or trained again. Its team is charged, an organiser is not."""
    with context.database.writing() as session:
        submission = submissions.get(session, submission_id)
        jobs = plans.request(
            session,
            submission,
            body.level,
            body.seeds,
            caller,
            context.settings.job_costs,
            moment=context.clock(),
        )
        return plan_out(session, submission, jobs)


@router.get("/submissions/{submission_id}/verification", responses=_NOT_FOUND)
def get_verification(submission_id: UlidOfPath, context: ContextDep) -> VerificationOut:
    """How far a submission was verified, and what the levels take that workers lead to."""
    with context.database.reading() as session:
        submission = submissions.get(session, submission_id)
        level = standing(session, submission).level.label
        return verification_out(
            session,
            submission,
            level,
            plans.options(session, submission, context.settings.job_costs),
        )
