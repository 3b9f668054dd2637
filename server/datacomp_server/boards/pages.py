"""Routes of the pages; each fills one page and renders it."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from datacomp_leaderboard.render import render
from datacomp_server.boards import service
from datacomp_server.boards.endpoints import FoundBoard, SessionDep
from datacomp_server.submissions.endpoints import ContextDep, FoundSubmission

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def home(session: SessionDep) -> str:
    """Every board with its leaders."""
    return render(service.home_page(session))


@router.get("/b/{scale}")
def board(found: FoundBoard) -> str:
    """One board."""
    return render(found)


@router.get("/s/{submission_id}")
def submission(found: FoundSubmission, session: SessionDep, context: ContextDep) -> str:
    """One submission."""
    return render(service.submission_page(session, context.artifacts, found, context.clock()))
