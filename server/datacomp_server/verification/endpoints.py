"""Routes of signing keys, attestations, evidence and audits."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from datacomp.reports import Report
from datacomp.submission.attestation import Attestation
from datacomp_server.artifacts.serving import artifact_response
from datacomp_server.context import Context, get_context
from datacomp_server.identity.auth import NEEDS_TOKEN, Reader, Steward, Submitter, WorkerCaller
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.kit.errors import ErrorOut, NotFound
from datacomp_server.submissions.endpoints import FoundSubmission, reading
from datacomp_server.submissions.repository import results_of
from datacomp_server.submissions.service import get
from datacomp_server.verification import keys, repository, service
from datacomp_server.verification.schemas import (
    AuditOut,
    AuditsOut,
    KeyIn,
    KeyOut,
    KeysOut,
    ResultOut,
    ResultsOut,
    StandingOut,
    WorkerKeyIn,
)

router = APIRouter(prefix="/api/v1", tags=["verification"])

ContextDep = Annotated[Context, Depends(get_context)]
SessionDep = Annotated[Session, Depends(reading)]
_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut},
    422: {"model": ErrorOut},
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorOut, "description": "The body is too large"},
    422: {"model": ErrorOut, "description": "Refused, with the reason"},
}
_TAKEN: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorOut, "description": "The key is known already"}
}


@router.post("/keys", status_code=201, responses={**NEEDS_TOKEN, **_TAKEN, **_REFUSED})
def register_key(body: KeyIn, caller: Submitter, context: ContextDep) -> KeyOut:
    """Register a public key of the token's team; `proof` shows that the team holds it."""
    with context.database.writing() as session:
        key = keys.register_of_team(session, caller, **body.model_dump(), moment=context.clock())
        return KeyOut.of(key)


@router.post(
    "/worker/keys",
    status_code=201,
    responses={**NEEDS_TOKEN, **_NOT_FOUND, **_TAKEN, **_REFUSED},
)
def register_worker_key(body: WorkerKeyIn, caller: WorkerCaller, context: ContextDep) -> KeyOut:
    """Register the public key of a worker, which signs its results with it."""
    with context.database.writing() as session:
        key = keys.register_of_worker(session, caller, **body.model_dump(), moment=context.clock())
        return KeyOut.of(key)


@router.get("/keys", responses=NEEDS_TOKEN)
def list_keys(caller: Reader, session: SessionDep) -> KeysOut:
    """The keys of the token's team; an organiser sees every key."""
    team_id = caller.team_id if isinstance(caller, TeamCaller) else None
    return KeysOut(keys=[KeyOut.of(key) for key in repository.keys(session, team_id)])


@router.post("/keys/{key_id}/revoke", responses={**NEEDS_TOKEN, **_NOT_FOUND})
def revoke_key(key_id: str, caller: Steward, context: ContextDep) -> KeyOut:
    """End a key: nothing new counts as signed by it. What it signed before stays."""
    with context.database.writing() as session:
        key = repository.key_by_id(session, key_id)
        if key is None or key.team_id is None or not caller.may_see(key.team_id):
            raise NotFound("there is no such key")
        keys.revoke(session, key, by=caller.actor, moment=context.clock())
        return KeyOut.of(key)


@router.post(
    "/submissions/{submission_id}/attestations",
    status_code=204,
    responses={**NEEDS_TOKEN, **_NOT_FOUND, **_REFUSED},
)
def attest_submission(
    submission_id: str, body: Attestation, caller: Submitter, context: ContextDep
) -> Response:
    """Sign a submission of the token's team with a registered key."""
    with context.database.writing() as session:
        found = get(session, submission_id)
        service.attest(session, caller, found, body, moment=context.clock())
    return Response(status_code=204)


@router.get("/submissions/{submission_id}/evidence", responses=_NOT_FOUND)
def get_evidence(found: FoundSubmission, session: SessionDep) -> StandingOut:
    """How far a submission was verified, and every piece of evidence for it."""
    return StandingOut.of(service.standing(session, found))


@router.get("/submissions/{submission_id}/results", responses=_NOT_FOUND)
def list_results(found: FoundSubmission, session: SessionDep) -> ResultsOut:
    """Every report with numbers of a submission: its team's and the workers'."""
    results = results_of(session, found.id)
    return ResultsOut(results=[ResultOut.of(result) for result in results])


@router.get(
    "/submissions/{submission_id}/results/{result_id}/report",
    response_model=Report,
    response_class=JSONResponse,
    responses=_NOT_FOUND,
)
def get_result_report(
    found: FoundSubmission, result_id: str, session: SessionDep, context: ContextDep
) -> Response:
    """The report of a result, byte for byte: its sha256 is the result's `report_sha256`."""
    for result in results_of(session, found.id):
        if result.id == result_id:
            name = f"{result_id}.report.json"
            return artifact_response(
                context.artifacts,
                result.report_sha256,
                filename=name,
                media_type="application/json",
            )
    raise NotFound("there is no such result")


@router.get("/audits")
def list_audits(session: SessionDep) -> AuditsOut:
    """Every random audit: what was committed to, what was drawn."""
    return AuditsOut(rounds=[AuditOut.of(one) for one in repository.rounds(session)])
