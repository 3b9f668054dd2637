"""From entries to the board and the home page; pure."""

from collections.abc import Sequence
from urllib.parse import urlencode

from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, shade, whisker
from datacomp_leaderboard.entries import Entry, group_seeds
from datacomp_leaderboard.formatting import label
from datacomp_leaderboard.pages import BoardLine, BoardPage, Column, GroupCell, HomePage, ScaleCard
from datacomp_leaderboard.plot import NARROW, WIDE, share_plot
from datacomp_leaderboard.ranking import (
    DEFAULT_SORT,
    GROUP_PREFIX,
    RankedRow,
    rank,
    sort_rows,
)
from datacomp_leaderboard.scales import SCALES

SHARE_UNITS = 60.0
_LEADERS = 5
_HOME_AXIS_WIDTH = 320.0
# columns that people read from the low end first
_TEXT = frozenset({"method", "team"})
_LABELS = {
    "average": "Average",
    "method": "Method",
    "team": "Team",
    "seeds": "Seeds",
    "subset": "Samples",
    "share": "Of pool",
    "date": "Date",
}


def build_board(
    scale: str,
    entries: Sequence[Entry],
    *,
    groups: Sequence[str] = (),
    chance: float | None = None,
    sort: str = DEFAULT_SORT,
) -> BoardPage:
    """The board of one scale. `groups` gives their order; groups it does not name follow.

    `UnknownNameError` if there is no column `sort`.
    """
    ranked = rank(group_seeds(entries))
    named = {name for r in ranked for name in r.row.groups}
    ordered = (*(g for g in groups if g in named), *sorted(named - set(groups)))
    axis = _axis(ranked)
    lines = tuple(_line(r, ranked, ordered, axis) for r in sort_rows(ranked, sort, ordered))
    by_merit = [_line(r, ranked, (), axis) for r in ranked]
    query = "" if sort == DEFAULT_SORT else "?" + urlencode({"sort": sort})
    return BoardPage(
        title=f"{scale} board",
        scale=scale,
        description=SCALES.get(scale, ""),
        sort=sort,
        columns=_columns(scale, sort, ordered),
        groups=ordered,
        lines=lines,
        axis=axis,
        chance=chance,
        chance_x=None if chance is None or chance < axis.low else axis.x(chance),
        wide_plot=share_plot(by_merit, chance, WIDE),
        narrow_plot=share_plot(by_merit, chance, NARROW),
        n_submissions=len(entries),
        n_teams=len({entry.team for entry in entries}),
        n_pools=len({entry.pool_id for entry in entries}),
        updated_at=max((entry.submitted_at for entry in entries), default=None),
        csv_url=f"/b/{scale}.csv{query}",
        json_url=f"/b/{scale}.json{query}",
    )


def build_home(entries: Sequence[Entry]) -> HomePage:
    """Every scale that has a submission with its leaders, and the names of the others."""
    cards, empty = [], []
    for scale, description in SCALES.items():
        here = [entry for entry in entries if entry.scale == scale]
        if not here:
            empty.append(scale)
            continue
        ranked = rank(group_seeds(here))
        leaders = [r for r in ranked if r.rank is not None][:_LEADERS]
        axis = _axis(leaders, width=_HOME_AXIS_WIDTH)
        lines = tuple(_line(r, ranked, (), axis) for r in leaders)
        cards.append(ScaleCard(scale, description, len(ranked), len(here), lines, axis))
    return HomePage(title="Boards", cards=tuple(cards), empty=tuple(empty))


def _axis(ranked: Sequence[RankedRow], width: float = 160.0) -> Axis:
    ends = [end for r in ranked if r.row.average for end in interval_ends(r.row.average)]
    return nice_axis(ends, width=width)


def _line(
    ranked: RankedRow, everyone: Sequence[RankedRow], groups: Sequence[str], axis: Axis
) -> BoardLine:
    row = ranked.row
    cells = []
    for group in groups:
        found = row.groups.get(group)
        column = [s.mean if s else None for s in (r.row.groups.get(group) for r in everyone)]
        cells.append(GroupCell(group, found, shade(found.mean if found else None, column)))
    return BoardLine(
        rank=ranked.rank,
        row=row,
        whisker=whisker(row.average, axis) if row.average else None,
        cells=tuple(cells),
        share_units=round(SHARE_UNITS * min(row.share, 1.0), 1),
    )


def _columns(scale: str, sort: str, groups: Sequence[str]) -> dict[str, Column]:
    labels = _LABELS | {GROUP_PREFIX + group: label(group) for group in groups}
    return {key: _column(scale, key, text, sort) for key, text in labels.items()}


def _column(scale: str, key: str, text: str, sort: str) -> Column:
    direction = None
    if sort.removeprefix("-") == key:
        direction = "descending" if sort.startswith("-") else "ascending"
    first, other = (key, f"-{key}") if key in _TEXT else (f"-{key}", key)
    target = other if sort == first else first
    href = f"/b/{scale}"
    if target != DEFAULT_SORT:
        href += "?" + urlencode({"sort": target})
    return Column(key, text, href, direction)
