"""What other sites show of boards: badges and frames."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp_leaderboard.outside import BADGE_TYPE, build_badge, build_framed
from datacomp_leaderboard.query import FILTERING
from datacomp_server.boards.data import Source
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.models import TRACKS, Board, Published
from datacomp_server.kit.errors import BadRequest
from datacomp_server.submissions import service as submissions


def badge(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The badge of a submission, or of a published number; `NotFound` if there is no such."""
    only(query)
    board = _board_of(source.session, params["id"])
    page = build_badge(source.board(board.scale, board.track), params["id"])
    return Made(page, media_type=BADGE_TYPE)


def framed(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The best rows of a board, for a frame."""
    track = only(query, "track").get("track", FILTERING)
    if track not in TRACKS:
        raise BadRequest(str(UnknownNameError("track", track, TRACKS)))
    return Made(build_framed(source.board(params["scale"], track)))


def _board_of(session: Session, row_id: str) -> Board:
    known = session.get(Published, row_id)
    if known is not None:
        return session.get_one(Board, known.board_id)
    return submissions.get(session, row_id).board
