"""From stored submissions to what the board's pages need."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from datacomp.errors import UnknownNameError, UsageError
from datacomp.reports import load_suite
from datacomp_leaderboard.board_view import BoardView, build_board
from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.query import parse
from datacomp_leaderboard.rules import OFFICIAL, RuleDiff, preview, rule_of
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.tables import board_json, board_table, without_table
from datacomp_server.boards import repository as boards
from datacomp_server.boards.data import Source, entries
from datacomp_server.boards.made import Made, Query
from datacomp_server.boards.models import Board
from datacomp_server.boards.opening import suite_sha256
from datacomp_server.boards.ruling import rule_in_force
from datacomp_server.kit.errors import BadRequest, NotFound

_TEXTS: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}


def board(source: Source, params: Mapping[str, str], query: Query) -> Made:
    """The board of a scale; `BadRequest` for a query that means nothing."""
    scale = params["scale"]
    if scale not in SCALES:
        raise NotFound(f"there is no board {scale!r}; there are: {', '.join(SCALES)}")
    try:
        view = _view(source, scale, query)
    except UnknownNameError as error:
        raise BadRequest(str(error), code="unknown_name") from error
    except UsageError as error:
        raise BadRequest(str(error)) from error
    page = build_board(view)
    return Made(
        page,
        lambda: (board_table(view), without_table(view.data)),
        charts=[page.share.chart] if page.share else [],
        texts={
            "api": lambda: json.dumps(board_json(view), **_TEXTS),
            "ranks": lambda: json.dumps(view.data.ranks, **_TEXTS),
        },
    )


def _view(source: Source, scale: str, query: Query) -> BoardView:
    """What a query names; the errors of `query.parse`."""
    suite = load_suite(SCALES[scale].suite) if suite_sha256(scale) is not None else None
    # the rule in force hangs on the day and the track, which the query says
    asked = parse(scale, query, suite, OFFICIAL)
    until = None
    if asked.at is not None:
        until = datetime.combine(asked.at, time.max, UTC)
        if until >= source.moment:
            until = None
    data = source.board(scale, asked.track, until)
    return BoardView(data, parse(scale, query, data.suite, data.rule))


def preview_rule(session: Session, board: Board, rule_id: str) -> RuleDiff:
    """What another rule would move on a board; `UnknownNameError` if there is no such rule."""
    old, new = rule_in_force(session, board), rule_of(rule_id)
    found = boards.results(session, board.track, board.scale)
    current = [result for result in found if result.suite_sha256 == board.suite_sha256]
    tasks = boards.tasks_of(session, [result.id for result in current])
    rows = group_seeds(entries(session, current, tasks))
    return preview(rows, load_suite(board.suite), old, new)
