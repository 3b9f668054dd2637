"""The home page: where each board stands, what changed, and how to take part; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charts import Axis, Whisker, interval_ends, nice_axis, whisker
from datacomp_leaderboard.formatting import count
from datacomp_leaderboard.frontier import Strip, strip
from datacomp_leaderboard.news import News
from datacomp_leaderboard.query import OWN_DATA, board_href
from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.scales import SCALES
from datacomp_leaderboard.twins import Cell, Column, Table

_LEADERS = 3
_AXIS_WIDTH = 320.0


@dataclass(frozen=True)
class Leader:
    """One of the best rows of a board."""

    rank: int | None
    row: RankedRow
    whisker: Whisker


@dataclass(frozen=True)
class ScaleCard:
    """One board; `leaders` are its best rows without the truth.

    `gain` is how much the best that competes is above the best baseline, None without either.
    """

    scale: str
    description: str
    n_methods: int
    n_submissions: int
    n_teams: int
    best: RankedRow | None
    baseline: RankedRow | None
    gain: float | None
    leaders: tuple[Leader, ...]
    axis: Axis
    strip: Strip | None


@dataclass(frozen=True)
class QueueLight:
    """The queue in one word and one sentence: `state` is idle, busy or stuck."""

    state: str
    words: str


@dataclass(frozen=True)
class OwnDataBoard:
    """A board of the track byod."""

    scale: str
    href: str
    n_submissions: int


@dataclass(frozen=True)
class HomePage:
    """Every board with its leaders; those without a row, or of own data, are only named."""

    template: ClassVar[str] = "home.html"

    title: str
    cards: tuple[ScaleCard, ...]
    empty: tuple[str, ...]
    own_data: tuple[OwnDataBoard, ...]
    news: tuple[News, ...]
    queue: QueueLight


def build_home(
    boards: Sequence[BoardData],
    *,
    own_data: Mapping[str, int],
    news: Sequence[News],
    queue: QueueLight,
) -> HomePage:
    """The page; `own_data` counts submissions to the boards of the track byod, by scale."""
    cards = tuple(_card(board) for board in boards if board.entries)
    return HomePage(
        title="Boards",
        cards=cards,
        empty=tuple(board.scale for board in boards if not board.entries),
        own_data=tuple(
            OwnDataBoard(scale, board_href(scale, OWN_DATA), own_data[scale])
            for scale in SCALES
            if scale in own_data
        ),
        news=tuple(news),
        queue=queue,
    )


def home_tables(boards: Sequence[BoardData], news: Sequence[News]) -> tuple[Table, ...]:
    """Who was the best when, and the news."""
    return _frontiers(boards), _told(news)


def queue_light(n_waiting: int, n_running: int, n_workers: int) -> QueueLight:
    """The queue from counts of jobs for workers and of workers that were heard of lately."""
    if not n_waiting and not n_running:
        words = "Nothing waits to be measured"
        state = "idle"
    else:
        jobs = f"{count(n_waiting)} job{'' if n_waiting == 1 else 's'} wait"
        words = f"{jobs}{'s' if n_waiting == 1 else ''}, {count(n_running)} run"
        words += "s" if n_running == 1 else ""
        state = "busy" if n_workers else "stuck"
    there = f"{count(n_workers)} worker{'' if n_workers == 1 else 's'} here"
    return QueueLight(state, f"{words}; {there if n_workers else 'no worker is here'}.")


def _card(board: BoardData) -> ScaleCard:
    numbered = [r for r in board.ranked if r.row.average is not None]
    best = next((r for r in numbered if r.row.competes), None)
    baseline = next((r for r in numbered if r.row.baseline and not r.row.withdrawn), None)
    shown = [r for r in numbered if not (r.row.oracle or r.row.withdrawn)][:_LEADERS]
    ends = [end for r in shown if r.row.average for end in interval_ends(r.row.average)]
    axis = nice_axis(ends, width=_AXIS_WIDTH)
    handed_in = [entry for entry in board.entries if not entry.published]
    return ScaleCard(
        scale=board.scale,
        description=SCALES[board.scale].description,
        n_methods=len(board.ranked),
        n_submissions=len({entry.id for entry in handed_in}),
        n_teams=len({entry.team for entry in handed_in}),
        best=best,
        baseline=baseline,
        gain=_mean(best) - _mean(baseline) if best and baseline else None,
        leaders=tuple(
            Leader(r.rank, r, whisker(r.row.average, axis)) for r in shown if r.row.average
        ),
        axis=axis,
        strip=strip(board.entered),
    )


def _mean(ranked: RankedRow) -> float:
    assert ranked.row.average is not None, "rows without a number were left out"
    return ranked.row.average.mean


def _frontiers(boards: Sequence[BoardData]) -> Table:
    cells: list[tuple[Cell, ...]] = []
    for board in boards:
        for one in board.entered:
            row = one.row
            facts = (row.team, row.method, one.average, row.level.label, one.leads, row.id)
            cells.append((board.scale, row.submitted_at, *facts))
    return Table("frontier", "Methods as they came, and who was the best", _FRONTIER, tuple(cells))


def _told(news: Sequence[News]) -> Table:
    cells = tuple((one.at, one.what, one.by, one.said, one.href) for one in news)
    return Table("news", "What changed", _NEWS, cells)


_FRONTIER = (
    Column("scale", "Scale", "text"),
    Column("at", "First submission", "date"),
    Column("team", "Team", "text"),
    Column("method", "Method", "text"),
    Column("average", "Average", "float"),
    Column("level", "Verified", "text"),
    Column("best_so_far", "Best so far", "bool"),
    Column("id", "Id", "text"),
)
_NEWS = (
    Column("at", "When", "date"),
    Column("what", "What", "text"),
    Column("by", "By", "text"),
    Column("said", "Said", "text"),
    Column("href", "Page", "text"),
)
