"""Routes of the pages that are rendered when they are asked for."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from datacomp_leaderboard.render import render
from datacomp_server.boards import service
from datacomp_server.boards.endpoints import SessionDep
from datacomp_server.submissions.endpoints import ContextDep, FoundSubmission

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/s/{submission_id}")
def submission(found: FoundSubmission, session: SessionDep, context: ContextDep) -> str:
    """One submission."""
    costs, moment = context.settings.job_costs, context.clock()
    return render(service.submission_page(session, context.artifacts, found, costs, moment))
