"""Routes of boards, ready to send: pages for people, JSON for programs, CSV for spreadsheets."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from datacomp.submission.manifest import Track
from datacomp_server.boards import opening, ruling
from datacomp_server.boards.rendering import View
from datacomp_server.boards.schemas import BoardOut, BoardsOut, RankingOut
from datacomp_server.kit.errors import ErrorOut
from datacomp_server.kit.packed import CSV, HTML, JSON, UNCHANGED, respond
from datacomp_server.submissions.endpoints import ContextDep, reading

router = APIRouter(tags=["boards"])

SessionDep = Annotated[Session, Depends(reading)]
WRONG: dict[int | str, dict[str, Any]] = {
    304: UNCHANGED,
    400: {"model": ErrorOut, "description": "No such column to sort by"},
    404: {"model": ErrorOut, "description": "No such board"},
    422: {"model": ErrorOut, "description": "No such track"},
}


@router.get("/", include_in_schema=False)
async def home(request: Request, context: ContextDep) -> Response:
    """Every board with its leaders."""
    return respond(request, (await context.snapshots.get(View())).forms, HTML)


@router.get("/api/v1/boards")
def list_boards(session: SessionDep, context: ContextDep) -> BoardsOut:
    """Every board, closed ones too: when it takes submissions, and what it grants each team."""
    moment, rules = context.clock(), ruling.rules_in_force(session)
    found = opening.boards(session)
    return BoardsOut(boards=[BoardOut.of(one, rules.get(one.id), moment) for one in found])


@router.get("/api/v1/boards/{scale}", response_model=RankingOut, responses=WRONG)
@router.get("/b/{scale}.json", include_in_schema=False)
async def get_board(
    scale: str,
    request: Request,
    context: ContextDep,
    sort: str | None = None,
    track: Track = "filtering",
) -> Response:
    """A board: rows over seeds, with ranks, in the order of `sort`."""
    rendered = await context.snapshots.get(View(scale, sort, track))
    return respond(request, rendered.forms, JSON)


@router.get("/b/{scale}.csv", include_in_schema=False)
async def get_board_csv(
    scale: str,
    request: Request,
    context: ContextDep,
    sort: str | None = None,
    track: Track = "filtering",
) -> Response:
    """The same as CSV."""
    rendered = await context.snapshots.get(View(scale, sort, track))
    table = respond(request, rendered.forms, CSV)
    table.headers["Content-Disposition"] = f'attachment; filename="{scale}.csv"'
    return table


@router.get("/b/{scale}", include_in_schema=False)
async def board(
    scale: str,
    request: Request,
    context: ContextDep,
    sort: str | None = None,
    track: Track = "filtering",
) -> Response:
    """One board as a page."""
    rendered = await context.snapshots.get(View(scale, sort, track))
    return respond(request, rendered.forms, HTML)
