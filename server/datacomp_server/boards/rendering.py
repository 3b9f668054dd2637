"""One board, or the home page, in every form that visitors get: made whole, then handed out.

Runs in the service's own process or in a helper (see `builder`), and so takes and gives plain
values only.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from datacomp_leaderboard.board import FILTERING
from datacomp_leaderboard.ranking import Ranks
from datacomp_leaderboard.render import render
from datacomp_leaderboard.tables import board_csv, board_json
from datacomp_server.boards import service

HTML, JSON, CSV = "text/html; charset=utf-8", "application/json", "text/csv; charset=utf-8"


@dataclass(frozen=True)
class View:
    """What is shown: a board in an order, or the home page, which has no scale."""

    scale: str | None = None
    sort: str | None = None
    track: str = FILTERING


@dataclass(frozen=True)
class Packed:
    """A body, compressed once; `etag` names its content."""

    gzipped: bytes
    etag: str

    def body(self) -> bytes:
        """The body as it was."""
        return gzip.decompress(self.gzipped)


@dataclass(frozen=True)
class Rendered:
    """A view by media type, and the ranks of its rows, which other pages show."""

    forms: Mapping[str, Packed]
    ranks: Ranks


def render_view(session: Session, view: View) -> Rendered:
    """The view; `NotFound` or `BadRequest` if there is no such board or column."""
    if view.scale is None:
        return Rendered(dict(_packed([(HTML, render(service.home_page(session)))])), {})
    page = service.board_page(session, view.scale, view.sort, view.track)
    texts = [
        (HTML, render(page)),
        (JSON, json.dumps(board_json(page), ensure_ascii=False, separators=(",", ":"))),
        (CSV, board_csv(page)),
    ]
    return Rendered(dict(_packed(texts)), {line.row.id: line.rank for line in page.lines})


def _packed(texts: Iterable[tuple[str, str]]) -> Iterable[tuple[str, Packed]]:
    for media_type, text in texts:
        data = text.encode()
        # weak: the same for the body and for its compressed form
        etag = f'W/"{hashlib.sha256(data).hexdigest()[:32]}"'
        yield media_type, Packed(gzip.compress(data, 6, mtime=0), etag)
