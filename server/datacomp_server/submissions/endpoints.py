"""Routes of submissions."""

from collections.abc import Iterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from datacomp.reports import Report
from datacomp.submission.manifest import Manifest
from datacomp.submission.profile import Profile
from datacomp_server.artifacts.serving import artifact_response
from datacomp_server.context import Context, get_context
from datacomp_server.identity.auth import NEEDS_TOKEN, MaybeCaller, Steward, Submitter
from datacomp_server.identity.callers import TeamCaller
from datacomp_server.kit.errors import ErrorOut, NotFound
from datacomp_server.submissions import intake, marks, rechecking, rules, service, views
from datacomp_server.submissions.models import Submission
from datacomp_server.submissions.schemas import SubmissionOut, SubmissionsOut, WithdrawalIn

router = APIRouter(prefix="/api/v1/submissions", tags=["submissions"])

ContextDep = Annotated[Context, Depends(get_context)]
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The body is not JSON"},
    413: {"model": ErrorOut, "description": "The body, or a file, is too large"},
    422: {"model": ErrorOut, "description": "Refused, with every reason"},
}
_TAKEN: dict[int | str, dict[str, Any]] = {
    200: {"model": SubmissionOut},
    409: {"model": ErrorOut, "description": "The report stands already, in other words"},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut},
    422: {"model": ErrorOut},
}
_WRONG_QUERY: dict[int | str, dict[str, Any]] = {422: {"model": ErrorOut}}
# A token may come with every request; one that is sent and is not good is told.
_BAD_TOKEN: dict[int | str, dict[str, Any]] = {401: NEEDS_TOKEN[401]}


def reading(context: ContextDep) -> Iterator[Session]:
    """A session for the time of one request."""
    with context.database.reading() as session:
        yield session


SessionDep = Annotated[Session, Depends(reading)]


def submission_of_path(submission_id: str, session: SessionDep) -> Submission:
    """The submission that the path names; the one place where a request looks one up."""
    return service.get(session, submission_id)


FoundSubmission = Annotated[Submission, Depends(submission_of_path)]


@router.post("", status_code=201, responses={**_REFUSED, **_TAKEN, **NEEDS_TOKEN})
async def create_submission(
    body: Manifest, caller: Submitter, context: ContextDep, response: Response
) -> SubmissionOut:
    """Hand in a manifest. 201: taken in; 200: this very one stands already."""
    created, out = await to_thread.run_sync(_hand_in, context, caller, body, limiter=context.intake)
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"/api/v1/submissions/{out.id}"
    return out


def _hand_in(
    context: Context, caller: TeamCaller, manifest: Manifest
) -> tuple[bool, SubmissionOut]:
    moment, costs = context.clock(), context.settings.job_costs
    receipt = intake.take_in(context, caller, rules.validate(manifest), moment=moment)
    with context.database.reading() as session:
        return receipt.created, views.as_json(
            session,
            receipt.submission,
            caller,
            uploads=receipt.uploads,
            said=receipt.said,
            costs=costs,
            moment=moment,
        )


@router.get("", responses={**_NOT_FOUND, **_WRONG_QUERY, **_BAD_TOKEN})
def list_submissions(
    session: SessionDep,
    context: ContextDep,
    caller: MaybeCaller,
    team: str | None = None,
    before: Annotated[str | None, Query(pattern=r"^[0-9A-Z]{26}$", max_length=26)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SubmissionsOut:
    """Submissions from new to old, of a team if one is named; `before` is the last page's next."""
    found = service.newest(session, team=team, before=before, limit=limit + 1)
    costs, moment = context.settings.job_costs, context.clock()
    return views.page_as_json(session, found, caller, limit=limit, costs=costs, moment=moment)


@router.get("/{submission_id}", responses={**_NOT_FOUND, **_BAD_TOKEN})
def get_submission(
    found: FoundSubmission, session: SessionDep, context: ContextDep, caller: MaybeCaller
) -> SubmissionOut:
    """One submission; its team sees why it was refused, everybody the codes."""
    costs, moment = context.settings.job_costs, context.clock()
    return views.as_json(session, found, caller, costs=costs, moment=moment)


@router.post("/{submission_id}/withdrawal", responses={**_NOT_FOUND, **_REFUSED, **NEEDS_TOKEN})
def withdraw_submission(
    submission_id: str, body: WithdrawalIn, caller: Steward, context: ContextDep
) -> SubmissionOut:
    """Withdraw a submission of one's own team, and end its jobs. It stays, struck out."""
    costs, moment = context.settings.job_costs, context.clock()
    with context.database.writing() as session:
        found = service.get_own(session, submission_id, caller)
        marks.mark(session, found, "withdrawn", reason=body.reason, by=caller.actor, moment=moment)
        return views.as_json(session, found, caller, costs=costs, moment=moment)


@router.post(
    "/{submission_id}/check",
    responses={
        **_NOT_FOUND,
        **NEEDS_TOKEN,
        409: {"model": ErrorOut, "description": "Its check goes on, or has given its verdict"},
        422: {"model": ErrorOut, "description": "It is out, the budget is spent, files are gone"},
    },
)
def request_check(submission_id: str, caller: Steward, context: ContextDep) -> SubmissionOut:
    """Have an unchecked submission checked again. Its team is charged, an organiser is not."""
    costs, moment = context.settings.job_costs, context.clock()
    with context.database.writing() as session:
        found = service.get_own(session, submission_id, caller)
        rechecking.ask(session, found, caller, moment=moment)
        return views.as_json(session, found, caller, costs=costs, moment=moment)


@router.get(
    "/{submission_id}/report",
    response_model=Report,
    response_class=JSONResponse,
    responses=_NOT_FOUND,
)
def get_report(found: FoundSubmission, context: ContextDep) -> Response:
    """Its report, byte for byte: the sha256 of the file is `report_sha256`."""
    if found.report_sha256 is None:
        raise NotFound("this submission came without a report")
    return _file(context, found.report_sha256, f"{found.id}.report.json")


@router.get(
    "/{submission_id}/lock",
    response_model=dict[str, Any],  # as the tool that made the subset wrote it
    response_class=JSONResponse,
    responses=_NOT_FOUND,
)
def get_lock(found: FoundSubmission, context: ContextDep) -> Response:
    """The lock file of its subset, if one was handed in."""
    if found.lock_sha256 is None:
        raise NotFound("this submission came without a lock file")
    return _file(context, found.lock_sha256, f"{found.id}.lock.json")


@router.get(
    "/{submission_id}/profile",
    response_model=Profile,
    response_class=JSONResponse,
    responses=_NOT_FOUND,
)
def get_profile(found: FoundSubmission, context: ContextDep) -> Response:
    """The profile of data and run that its team handed in, of schema datacomp-profile/1."""
    if found.profile_sha256 is None:
        raise NotFound("this submission came without a profile")
    return _file(context, found.profile_sha256, f"{found.id}.profile.json")


def _file(context: Context, sha256: str, filename: str) -> Response:
    return artifact_response(
        context.artifacts, sha256, filename=filename, media_type="application/json"
    )
