"""Routes of boards as data: JSON for programs, CSV for spreadsheets."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy.orm import Session

from datacomp_leaderboard.pages import BoardPage
from datacomp_leaderboard.tables import board_csv, board_json
from datacomp_server.boards import service
from datacomp_server.kit.errors import ErrorOut
from datacomp_server.submissions.endpoints import reading

router = APIRouter(tags=["boards"])

SessionDep = Annotated[Session, Depends(reading)]
WRONG: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "No such column to sort by"},
    404: {"model": ErrorOut, "description": "No such board"},
}


def board_of_path(scale: str, session: SessionDep, sort: str | None = None) -> BoardPage:
    """The board that path and query name."""
    return service.board_page(session, scale, sort)


FoundBoard = Annotated[BoardPage, Depends(board_of_path)]


@router.get("/api/v1/boards/{scale}", responses=WRONG)
@router.get("/b/{scale}.json", responses=WRONG, include_in_schema=False)
def get_board(board: FoundBoard) -> dict[str, Any]:
    """A board: rows over seeds, with ranks, in the order of `sort`."""
    return board_json(board)


@router.get("/b/{scale}.csv", responses=WRONG, include_in_schema=False)
def get_board_csv(board: FoundBoard) -> Response:
    """The same as CSV."""
    headers = {"Content-Disposition": f'attachment; filename="{board.scale}.csv"'}
    return Response(board_csv(board), media_type="text/csv; charset=utf-8", headers=headers)
