"""Routes of the review queue and of one submission, for organisers who are signed in."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.orm import Session
from starlette.responses import Response

from datacomp.errors import UnknownNameError
from datacomp.submission.levels import parse_level
from datacomp_server.context import Context
from datacomp_server.identity.pages import ContextDep, private
from datacomp_server.identity.visitors import Organising
from datacomp_server.jobs.plans import plan
from datacomp_server.kit.errors import BadRequest, Refused, ServerError
from datacomp_server.organising import review
from datacomp_server.submissions import marks, rechecking, service
from datacomp_server.submissions.marks import MAX_REASON_LENGTH
from datacomp_server.submissions.models import MARKS

router = APIRouter(prefix="/organise", include_in_schema=False, default_response_class=HTMLResponse)

Word = Annotated[str, Form(max_length=30)]
Reason = Annotated[str, Form(max_length=2 * MAX_REASON_LENGTH)]


@router.get("")
def review_queue(context: ContextDep, person: Organising) -> Response:
    """What to look at, the most suspicious first."""
    with context.database.reading() as session:
        return private(review.review_page(session))


@router.get("/find")
def find_submission(
    person: Organising, id: Annotated[str, Query(pattern="^[0-9A-Z]{26}$")]
) -> Response:
    """The page of a submission whose id was typed in."""
    return RedirectResponse(f"/organise/submissions/{id}", 303)


@router.get("/submissions/{submission_id}")
def review_submission(context: ContextDep, person: Organising, submission_id: str) -> Response:
    """One submission, and what can be done with it."""
    return _submission(context, submission_id)


@router.post("/submissions/{submission_id}/verify")
def verify_submission(
    context: ContextDep, person: Organising, submission_id: str, level: Word = ""
) -> Response:
    """Plan the jobs that lead to a level, at nobody's cost."""

    def work(session: Session) -> None:
        found, moment = service.get(session, submission_id), context.clock()
        costs = context.settings.job_costs
        try:
            wanted = parse_level(level)
        except UnknownNameError as unknown:
            raise Refused(str(unknown), code="no_such_level") from unknown
        plan(session, found, wanted, None, person.office, costs, moment=moment)

    return _done(context, submission_id, work)


@router.post("/submissions/{submission_id}/mark")
def mark_submission(
    context: ContextDep,
    person: Organising,
    submission_id: str,
    kind: Word = "",
    reason: Reason = "",
) -> Response:
    """Say something of a submission, for good and for everybody to read."""

    def work(session: Session) -> None:
        if kind not in MARKS:
            raise BadRequest(f"no mark is {kind!r}; there are: {', '.join(MARKS)}")
        found, moment = service.get(session, submission_id), context.clock()
        marks.mark(session, found, kind, reason=reason, by=person.office, moment=moment)

    return _done(context, submission_id, work)


@router.post("/submissions/{submission_id}/check")
def check_submission(context: ContextDep, person: Organising, submission_id: str) -> Response:
    """Have an unchecked submission checked again."""

    def work(session: Session) -> None:
        found = service.get(session, submission_id)
        rechecking.check_again(session, found, by=person.office, moment=context.clock())

    return _done(context, submission_id, work)


def _done(context: Context, submission_id: str, work: Callable[[Session], object]) -> Response:
    """Run a form's work in one transaction, then show the submission; or say what was wrong."""
    try:
        with context.database.writing() as session:
            work(session)
    except ServerError as error:
        return _submission(context, submission_id, error)
    return RedirectResponse(f"/organise/submissions/{submission_id}", 303)


def _submission(
    context: Context, submission_id: str, refused: ServerError | None = None
) -> Response:
    with context.database.reading() as session:
        page = review.reviewed_page(
            session,
            submission_id,
            context.settings.job_costs,
            context.clock(),
            error=refused.detail if refused else None,
        )
    return private(page, refused)
