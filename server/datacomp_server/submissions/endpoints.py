"""Routes of submissions."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from datacomp_server.artifacts.serving import artifact_response
from datacomp_server.context import Context, get_context
from datacomp_server.identity.auth import Submitter
from datacomp_server.kit.errors import ErrorOut, NotFound
from datacomp_server.submissions import repository, rules, service
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.schemas import EstimateOut, SubmissionIn, SubmissionOut

router = APIRouter(prefix="/api/v1/submissions", tags=["submissions"])

ContextDep = Annotated[Context, Depends(get_context)]
_WRONG: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The body is not JSON"},
    401: {"model": ErrorOut, "description": "No token, or not a good one"},
    403: {"model": ErrorOut, "description": "The token may not submit"},
    409: {"model": ErrorOut, "description": "The report stands already, in other words"},
    413: {"model": ErrorOut, "description": "The body is too large"},
    422: {"model": ErrorOut, "description": "Refused, with every reason"},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut}}


def reading(context: ContextDep) -> Iterator[Session]:
    """A session for the time of one request."""
    with context.database.reading() as session:
        yield session


def submission_of_path(
    submission_id: str, session: Annotated[Session, Depends(reading)]
) -> Submission:
    """The submission that the path names; the one place where a request looks one up."""
    return service.get(session, submission_id)


FoundSubmission = Annotated[Submission, Depends(submission_of_path)]


@router.post("", status_code=201, responses={**_WRONG, 200: {"model": SubmissionOut}})
def create_submission(
    body: SubmissionIn, caller: Submitter, context: ContextDep, response: Response
) -> SubmissionOut:
    """Hand in a report. 201: taken in; 200: this very report stands already."""
    valid, moment = rules.validate(body), context.clock()
    receipt = service.take_in(context.database, context.artifacts, caller, valid, moment=moment)
    if not receipt.created:
        response.status_code = 200
    with context.database.reading() as session:
        out = as_json(session, receipt.submission)
    response.headers["Location"] = f"/api/v1/submissions/{out.id}"
    return out


@router.get("/{submission_id}", responses=_NOT_FOUND)
def get_submission(
    found: FoundSubmission, session: Annotated[Session, Depends(reading)]
) -> SubmissionOut:
    """One submission."""
    return as_json(session, found)


@router.get("/{submission_id}/report", response_class=JSONResponse, responses=_NOT_FOUND)
def get_report(found: FoundSubmission, context: ContextDep) -> Response:
    """Its report, byte for byte: the sha256 of the file is `report_sha256`."""
    return _file(context, found.report_sha256 or "", f"{found.id}.report.json")


@router.get("/{submission_id}/lock", response_class=JSONResponse, responses=_NOT_FOUND)
def get_lock(found: FoundSubmission, context: ContextDep) -> Response:
    """The lock file of its subset, if one was handed in."""
    if found.lock_sha256 is None:
        raise NotFound("this submission came without a lock file")
    return _file(context, found.lock_sha256, f"{found.id}.lock.json")


def as_json(session: Session, submission: Submission) -> SubmissionOut:
    """A submission as the API shows it."""
    result = repository.reported_result(session, submission.id)
    groups = {
        name: EstimateOut(value=group["value"], stderr=group["stderr"])
        for name, group in result.groups.items()
    }
    own = ("id", "method", "description", "oracle", "lock_sha256", "validator", "created_at")
    of_result = ("suite", "seed", "recipe_id", "pool_id", "pool_size", "report_sha256")
    of_subset = ("subset_sha256", "subset_n", "subset_unique")
    return SubmissionOut(
        page=f"/s/{submission.id}",
        team=submission.team.name,
        average=EstimateOut(value=result.average, stderr=result.average_stderr),
        groups=groups,
        scale=submission.board.scale,
        **{name: getattr(submission, name) for name in own},
        **{name: getattr(result, name) for name in (*of_result, *of_subset)},
    )


def _file(context: Context, sha256: str, filename: str) -> Response:
    return artifact_response(
        context.artifacts, sha256, filename=filename, media_type="application/json"
    )
