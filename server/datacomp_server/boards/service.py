"""From stored submissions to what the board's pages need."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError
from datacomp.reports import load_suite
from datacomp_leaderboard.board import build_board
from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import DEFAULT_SORT
from datacomp_leaderboard.rules import RuleDiff, preview, rule_of
from datacomp_leaderboard.tables import board_json, board_table
from datacomp_server.boards import repository as boards
from datacomp_server.boards.data import Source, entries
from datacomp_server.boards.made import Made, Query, only
from datacomp_server.boards.models import TRACKS, Board
from datacomp_server.boards.ruling import rule_in_force
from datacomp_server.kit.errors import BadRequest

_TEXTS: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


def board(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The board of a scale; `BadRequest` for a query that means nothing."""
    asked = only(query, "sort", "track")
    track, sort = asked.get("track", FILTERING), asked.get("sort", DEFAULT_SORT)
    if track not in TRACKS:
        raise BadRequest(str(UnknownNameError("track", track, TRACKS)))
    data = source.board(params["scale"], track)
    try:
        page = build_board(data, sort)
    except UnknownNameError as error:
        raise BadRequest(str(error), code="unknown_column") from error
    return Made(
        page,
        lambda: (board_table(page),),
        charts=() if page.share is None else (page.share.chart,),
        texts={
            "api": lambda: json.dumps(board_json(page), **_TEXTS),
        },
    )


def preview_rule(session: Session, board: Board, rule_id: str) -> RuleDiff:
    """What another rule would move on a board; `UnknownNameError` if there is no such rule."""
    old, new = rule_in_force(session, board), rule_of(rule_id)
    found = boards.results(session, board.track, board.scale)
    current = [result for result in found if result.suite_sha256 == board.suite_sha256]
    tasks = boards.tasks_of(session, [result.id for result in current])
    rows = group_seeds(entries(session, current, tasks))
    return preview(rows, load_suite(board.suite), old, new)
