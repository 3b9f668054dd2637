"""Routes of workers: claim, beat, log, fetch inputs, finish. Every one but the first names a lease.

Workers upload outputs as everybody does, see the routes of uploads.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from datacomp.submission.text import printable
from datacomp_server.artifacts.serving import BYTES, artifact_response
from datacomp_server.identity.auth import NEEDS_TOKEN, WorkerCaller
from datacomp_server.jobs import lease, logs, workers
from datacomp_server.jobs.lease import Finish
from datacomp_server.jobs.outcomes import Output
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.schemas import (
    ROLE,
    BeatIn,
    BeatOut,
    FinishIn,
    FinishOut,
    LeaseIn,
    LeaseOut,
    LogOffsetOut,
    UlidOfPath,
)
from datacomp_server.jobs.views import lease_out
from datacomp_server.kit.errors import ErrorOut
from datacomp_server.submissions.endpoints import ContextDep

router = APIRouter(prefix="/api/v1/worker/leases", tags=["workers"])

RETRY_AFTER_SECONDS = 10
_OF_LEASE: dict[int | str, dict[str, Any]] = {
    **NEEDS_TOKEN,
    404: {"model": ErrorOut, "description": "No such lease, or not this worker's"},
    409: {"model": ErrorOut, "description": "lease_lost: the job is in other hands"},
    422: {"model": ErrorOut, "description": "The request does not follow its schema"},
}
_BODY: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The body cannot be read"},
    413: {"model": ErrorOut, "description": "The body is too large"},
}
_NO_JOB = {
    "description": "No job for this worker now",
    "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}


def own_lease(lease_id: UlidOfPath, caller: WorkerCaller, context: ContextDep) -> str:
    """The lease that the path names, if it is the caller's."""
    with context.database.reading() as session:
        return workers.own_lease(session, caller.token_id, lease_id)


async def _raw_body(request: Request) -> bytes:
    return await request.body()


OwnLease = Annotated[str, Depends(own_lease)]


@router.post(
    "",
    response_model=LeaseOut,
    responses={
        **NEEDS_TOKEN,
        **_BODY,
        204: _NO_JOB,
        409: {"model": ErrorOut, "description": "worker_name_taken"},
        422: _OF_LEASE[422],
    },
)
def claim_job(body: LeaseIn, caller: WorkerCaller, context: ContextDep) -> LeaseOut | Response:
    """Ask for a job. 204 with Retry-After (seconds): there is none that this worker can take."""
    policy, moment = Policy.of(context.settings), context.clock()
    advert = workers.Advert(body.name, tuple(body.classes), tuple(body.pools), body.facts)
    with context.database.writing() as session:
        asker = workers.seen(session, caller.token_id, advert, moment=moment)
        found = lease.claim(session, policy, asker, moment=moment)
        if found is not None:
            return lease_out(session, policy, found)
    return Response(status_code=204, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


@router.post("/{lease_id}/beat", responses={**_OF_LEASE, **_BODY})
def beat_lease(body: BeatIn, lease_id: OwnLease, context: ContextDep) -> BeatOut:
    """Say that the job is being worked on; the lease begins anew."""
    policy, progress = Policy.of(context.settings), body.progress
    told = progress.model_dump(exclude_none=True) if progress else None
    with context.database.writing() as session:
        beat = lease.beat(session, policy, lease_id, told, moment=context.clock())
    return BeatOut(cancel=beat.cancel, lease_until=beat.until)


@router.post(
    "/{lease_id}/log",
    responses={**_OF_LEASE, **_BODY},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
def append_log(
    data: Annotated[bytes, Depends(_raw_body)],
    lease_id: OwnLease,
    context: ContextDep,
    offset: Annotated[int, Query(ge=0, le=2**53)],
) -> LogOffsetOut:
    """Write a piece of the log at a byte offset. 409 wrong_offset: Upload-Offset says where."""
    policy, moment = Policy.of(context.settings), context.clock()
    with context.database.writing() as session:
        return LogOffsetOut(
            next_offset=logs.append(session, policy, lease_id, offset, data, moment=moment)
        )


@router.get(
    "/{lease_id}/inputs/{role}",
    response_class=Response,
    responses={
        **_OF_LEASE,
        200: {"content": BYTES, "description": "The whole file"},
        206: {"content": BYTES, "description": "A range of it"},
        416: {"description": "The range begins behind the end"},
    },
)
def get_input(
    role: Annotated[str, Path(pattern=ROLE)],
    lease_id: OwnLease,
    context: ContextDep,
    range_header: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
) -> Response:
    """A file that the job works on, byte for byte."""
    with context.database.reading() as session:
        sha256 = lease.input_of(session, lease_id, role)
    return artifact_response(
        context.artifacts, sha256, filename=f"{role}.bin", range_header=range_header
    )


@router.post("/{lease_id}/finish", responses={**_OF_LEASE, **_BODY})
def finish_lease(body: FinishIn, lease_id: OwnLease, context: ContextDep) -> FinishOut:
    """End the lease, once; told again, it changes nothing."""
    outputs = [Output(one.role, one.sha256, one.facts) for one in body.outputs]
    detail = printable(body.detail) if body.detail else None
    said = Finish(body.fault, detail, outputs, released=body.outcome == "released")
    with context.database.writing() as session:
        job = lease.finish(session, context, lease_id, said, moment=context.clock())
        return FinishOut(job_id=job.id, status=job.status)
