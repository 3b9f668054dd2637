"""Routes of boards: every public page with its twins, ready to send, and JSON for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from datacomp.submission.manifest import Track
from datacomp_leaderboard.query import FILTERING
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.made import View
from datacomp_server.boards.rendering import send_form
from datacomp_server.boards.schemas import BoardOut, BoardsOut, RankingOut
from datacomp_server.boards.snapshots import Snapshots
from datacomp_server.boards.views import patterns, views_of
from datacomp_server.kit.errors import ErrorOut, NotFound
from datacomp_server.kit.packed import UNCHANGED
from datacomp_server.submissions.endpoints import ContextDep, reading

router = APIRouter(tags=["boards"])

SessionDep = Annotated[Session, Depends(reading)]
WRONG: dict[int | str, dict[str, Any]] = {
    304: UNCHANGED,
    400: {"model": ErrorOut, "description": "No such column to sort by"},
    404: {"model": ErrorOut, "description": "No such board"},
    422: {"model": ErrorOut, "description": "No such track"},
}


@router.get("/api/v1/boards")
def list_boards(session: SessionDep, context: ContextDep) -> BoardsOut:
    """Every board, closed ones too: when it takes submissions, and what it grants each team."""
    moment, rules = context.clock(), ruling.rules_in_force(session)
    found = opening.boards(session)
    return BoardsOut(boards=[BoardOut.of(one, rules.get(one.id), moment) for one in found])


@router.get("/api/v1/boards/{scale}", response_model=RankingOut, responses=WRONG)
async def get_board(
    scale: str,
    request: Request,
    context: ContextDep,
    sort: str | None = None,
    track: Track = "filtering",
) -> Response:
    """A board: rows over seeds, with ranks, in the order of `sort`."""
    query = {"sort": sort, "track": track if track != FILTERING else None}
    asked = tuple((name, value) for name, value in query.items() if value is not None)
    return await _answer(request, context.snapshots, [View(f"/b/{scale}", asked, "api")])


async def public_page(request: Request, context: ContextDep) -> Response:
    """A page that everybody may see, or a twin of it."""
    query = tuple(request.query_params.multi_items())
    return await _answer(request, context.snapshots, views_of(request.url.path, query))


for _pattern in patterns():
    router.add_api_route(_pattern, public_page, include_in_schema=False)


async def _answer(request: Request, snapshots: Snapshots, views: list[View]) -> Response:
    """The first of `views` that there is; if none, why there is not the likeliest."""
    missing: NotFound | None = None
    for view in views:
        try:
            rendered = await snapshots.get(view)
        except NotFound as error:
            missing = missing or error
            continue
        status, headers, body = send_form(rendered, dict(request.headers.raw))
        response = Response(body, status)
        response.raw_headers = headers
        return response
    raise missing or NotFound(f"there is no page {request.url.path}")
