"""One board, or the home page, in every form that visitors get: made whole, then handed out.

Runs in the service's own process or in a helper (see `builder`), and so takes and gives plain
values only.
"""

import json
from dataclasses import dataclass

from sqlalchemy.orm import Session

from datacomp_leaderboard.board import FILTERING
from datacomp_leaderboard.ranking import Ranks
from datacomp_leaderboard.render import render
from datacomp_leaderboard.tables import board_csv, board_json
from datacomp_server.boards import service
from datacomp_server.kit.packed import CSV, HTML, JSON, Forms, pack


@dataclass(frozen=True)
class View:
    """What is shown: a board in an order, or the home page, which has no scale."""

    scale: str | None = None
    sort: str | None = None
    track: str = FILTERING


@dataclass(frozen=True)
class Rendered:
    """A view by media type, and the ranks of its rows, which other pages show."""

    forms: Forms
    ranks: Ranks


def render_view(session: Session, view: View) -> Rendered:
    """The view; `NotFound` or `BadRequest` if there is no such board or column."""
    if view.scale is None:
        return Rendered(pack({HTML: render(service.home_page(session))}), {})
    page = service.board_page(session, view.scale, view.sort, view.track)
    texts = {
        HTML: render(page),
        JSON: json.dumps(board_json(page), ensure_ascii=False, separators=(",", ":")),
        CSV: board_csv(page),
    }
    return Rendered(pack(texts), {line.row.id: line.rank for line in page.lines})
