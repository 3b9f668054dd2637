"""The page of the log of events, for everybody."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from datacomp_leaderboard.log_pages import LogQuery
from datacomp_leaderboard.render import render
from datacomp_server.audit.log import log_page
from datacomp_server.context import Context, get_context

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Seq = Annotated[int | None, Query(ge=0, le=2**62)]


@router.get("/log")
def event_log(
    context: Annotated[Context, Depends(get_context)],
    kind: Annotated[str | None, Query(max_length=60)] = None,
    subject: Annotated[str | None, Query(pattern="^[0-9A-Z]{26}$")] = None,
    before: Seq = None,
    after: Seq = None,
) -> str:
    """What happened, newest first."""
    query = LogQuery(kind, subject, before, after)
    with context.database.reading() as session:
        return render(log_page(session, query, context.settings.exports_dir))
