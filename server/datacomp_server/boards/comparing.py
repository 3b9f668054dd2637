"""The page /compare: from a query to rows of one board."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from datacomp_leaderboard.charting import available
from datacomp_leaderboard.comparing import (
    LEAST,
    MOST,
    build_choose,
    build_compare,
    find_row,
)
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.query import FILTERING, TRACKS
from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards.data import Source
from datacomp_server.boards.made import Made, Query
from datacomp_server.boards.models import Board, Published
from datacomp_server.boards.overlapping import pairs
from datacomp_server.kit.errors import BadRequest
from datacomp_server.submissions.models import Submission

_KNOWN = ("ids", "scale", "track")
_MOST_ASKED = 50


def compare(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """Two to six methods, `?ids=A,B`; with fewer a form to choose them from."""
    ids, scale, track = _asked(query)
    board_of = {one: _board(source.session, one) for one in ids}
    boards = dict.fromkeys((board.scale, board.track) for board in board_of.values())
    if len(boards) > 1:
        where = "; ".join(f"{one} is at {b.scale} ({b.track})" for one, b in board_of.items())
        raise BadRequest(f"a comparison is of methods of one board: {where}")
    data = source.board(*next(iter(boards), (scale or _liveliest(source, track), track)))
    rows: dict[str, Row] = {}
    for one in ids:
        row = find_row(data, one)
        if row is None:
            raise BadRequest(f"{one} has no numbers on the board of {data.scale} to compare")
        rows.setdefault(row.id, row)
    if len(rows) < LEAST:
        few = f"One method is chosen: choose {LEAST} to {MOST}." if rows else None
        return Made(build_choose(data, list(rows), few))
    chosen = list(rows.values())
    page, tables, charts = build_compare(
        data, chosen, pairs(source.session, chosen), drawn=available()
    )
    return Made(page, tables, charts)


def _asked(query: Query) -> tuple[list[str], str | None, str]:
    ids: list[str] = []
    single: dict[str, str] = {}
    for name, value in query:
        if name not in _KNOWN:
            raise BadRequest(
                f"there is no {name!r} in a query here; there are: {', '.join(_KNOWN)}"
            )
        if name == "ids":
            ids += [one.strip() for one in value.split(",")[:_MOST_ASKED] if one.strip()]
        elif name in single:
            raise BadRequest(f"{name!r} is there twice")
        else:
            single[name] = value
    ids = list(dict.fromkeys(ids))
    if len(ids) > MOST:
        raise BadRequest(f"{len(ids)} methods were chosen; a comparison is of {LEAST} to {MOST}")
    scale, track = single.get("scale"), single.get("track", FILTERING)
    if scale is not None and scale not in SCALES:
        raise BadRequest(f"there is no board {scale!r}; there are: {', '.join(SCALES)}")
    if track not in TRACKS:
        raise BadRequest(f"there is no track {track!r}; there are: {', '.join(TRACKS)}")
    return ids, scale, track


def _board(session: Session, row_id: str) -> Board:
    found = session.get(Submission, row_id)
    if found is not None:
        return found.board
    published = session.get(Published, row_id)
    if published is None:
        raise BadRequest(f"there is no submission {row_id[:40]!r} to compare")
    return session.get_one(Board, published.board_id)


def _liveliest(source: Source, track: str) -> str:
    """The scale with the most methods."""
    return max(SCALES, key=lambda scale: len(source.board(scale, track).rows))
