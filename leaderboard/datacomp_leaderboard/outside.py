"""What other sites show of a board: a badge of a submission, and the best rows in a frame; pure."""

from dataclasses import dataclass
from typing import ClassVar

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting.chart import text_width
from datacomp_leaderboard.query import FILTERING, board_href
from datacomp_leaderboard.ranking import RankedRow

BADGE_TYPE = "image/svg+xml"
_FRAMED = 10
_SIZE, _PADDING = 11, 8.0
# with white text 5:1 and more
_MEASURED, _ELSE = "#0072b2", "#5f5d57"


@dataclass(frozen=True)
class BadgePage:
    """A badge: two boxes with a text each, widths in pixels."""

    template: ClassVar[str] = "badge.svg"

    title: str
    left: str
    right: str
    left_width: float
    right_width: float
    size: int
    colour: str


@dataclass(frozen=True)
class FramedPage:
    """The best rows of a board, without anything around; `n` is how many there are."""

    template: ClassVar[str] = "framed.html"

    title: str
    href: str
    lines: tuple[RankedRow, ...]
    n: int


def build_badge(board: BoardData, submission_id: str) -> BadgePage:
    """The badge of what stands on a board: rank and level of the method that it belongs to."""
    place = next((r for r in board.ranked if submission_id in (r.row.id, *r.row.submissions)), None)
    own = "" if board.track == FILTERING else " own data"
    left, right = f"DataComp {board.scale}{own}", _standing(board, place)
    return BadgePage(
        title=f"{left}: {right}",
        left=left,
        right=right,
        left_width=round(text_width(left, _SIZE) + 2 * _PADDING, 1),
        right_width=round(text_width(right, _SIZE) + 2 * _PADDING, 1),
        size=_SIZE,
        colour=_MEASURED if place is not None and place.row.level.verified else _ELSE,
    )


def build_framed(board: BoardData) -> FramedPage:
    """The frame of a board."""
    shown = [r for r in board.ranked if not r.row.withdrawn and r.row.average is not None]
    own = "" if board.track == FILTERING else ", own data"
    href = board_href(board.scale, board.track)
    return FramedPage(f"DataComp {board.scale}{own}", href, tuple(shown[:_FRAMED]), len(shown))


def _standing(board: BoardData, place: RankedRow | None) -> str:
    if place is None:
        return "no number"
    row = place.row
    if row.withdrawn:
        return "withdrawn"
    if row.published:
        return "published"
    level = row.level.label
    if place.rank is not None:
        n = sum(rank is not None for rank in board.ranks.values())
        return f"{place.rank} of {n} · {level}"
    if row.oracle:
        return f"uses the truth · {level}"
    return f"{'baseline' if row.baseline else 'unranked'} · {level}"
