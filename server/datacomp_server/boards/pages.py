"""Routes of the pages that are rendered when they are asked for."""

import json

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from datacomp_leaderboard.published import PublishedPage
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import Ranks
from datacomp_leaderboard.render import render
from datacomp_server.boards import published, service
from datacomp_server.boards.endpoints import SessionDep
from datacomp_server.boards.made import View
from datacomp_server.context import Context
from datacomp_server.submissions.endpoints import ContextDep, submission_of_path
from datacomp_server.submissions.models import Submission

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/s/{submission_id}")
async def submission(submission_id: str, session: SessionDep, context: ContextDep) -> str:
    """One submission, or a published number; its rank is what the board shows just now."""
    found = await run_in_threadpool(_found, session, submission_id)
    if isinstance(found, PublishedPage):
        return render(found)
    board = found.board
    query = (("track", board.track),) if board.track != FILTERING else ()
    kept = await context.snapshots.get(View(f"/b/{board.scale}", query, "ranks"))
    ranks = json.loads(kept.packed.body())
    return await run_in_threadpool(_page, session, context, found, ranks)


def _found(session: Session, row_id: str) -> PublishedPage | Submission:
    return published.page(session, row_id) or submission_of_path(row_id, session)


def _page(session: Session, context: Context, found: Submission, ranks: Ranks) -> str:
    costs, moment = context.settings.job_costs, context.clock()
    page = service.submission_page(session, context.artifacts, found, ranks, costs, moment)
    return render(page)
