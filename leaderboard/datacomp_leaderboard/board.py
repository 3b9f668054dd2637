"""From entries to the board; pure."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from datacomp_leaderboard.board_charts import share_chart
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Figure, available
from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, shade, whisker
from datacomp_leaderboard.entries import Entry
from datacomp_leaderboard.formatting import label
from datacomp_leaderboard.pages import (
    BoardLine,
    BoardPage,
    Column,
    GroupCell,
)
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import (
    DEFAULT_SORT,
    GROUP_PREFIX,
    RankedRow,
    column,
    sort_rows,
)
from datacomp_leaderboard.scales import SCALES

# lowest and highest mean of a column; None where no row has one
_Means = tuple[float, float] | None

SHARE_UNITS = 60.0
OWN_DATA = "byod"
_TRACKS = {FILTERING: "Subsets of the pool", OWN_DATA: "Own data"}
_COMMANDS = {
    FILTERING: "datacomp submit report.json --method NAME",
    OWN_DATA: "datacomp submit --byod mine.parquet --method NAME",
}
# columns that people read from the low end first
_TEXT = frozenset({"method", "team"})
_LABELS = {
    "average": "Average",
    "method": "Method",
    "team": "Team",
    "seeds": "Seeds",
    "level": "Verified",
    "subset": "Samples",
    "share": "Of pool",
    "date": "Date",
}


def build_board(data: BoardData, sort: str = DEFAULT_SORT) -> BoardPage:
    """The board of one scale, in the order of `sort`.

    `UnknownNameError` if there is no column `sort`.
    """
    scale, track, tracks = data.scale, data.track, data.tracks
    ranked, rule, ordered, chance = data.ranked, data.rule, data.groups, data.chance
    column(sort.removeprefix("-"), data.suite.groups if data.suite else ())
    entries = data.entries
    axis = _axis(ranked)
    means = {group: _means(ranked, group) for group in ordered}
    lines = tuple(_line(r, means, axis) for r in _sorted(ranked, sort, data))
    share = share_chart(data)
    query = _query(track, sort)
    return BoardPage(
        title=f"{scale} board" if track == FILTERING else f"{scale} board, own data",
        scale=scale,
        track=track,
        is_there=track in tracks,
        other=next(
            ((_TRACKS[one], board_href(scale, one)) for one in tracks if one != track), None
        ),
        command=_COMMANDS[track],
        description=SCALES[scale].description,
        sort=sort,
        rule=rule,
        columns=_columns(scale, track, sort, ordered),
        groups=ordered,
        lines=lines,
        axis=axis,
        chance=chance,
        chance_x=None if chance is None or chance < axis.low else axis.x(chance),
        share=None if share is None else Figure(share, f"/b/{scale}/share", drawn=available()),
        n_submissions=_n_submissions(entries),
        n_teams=len({entry.team for entry in entries if not entry.published}),
        n_pools=len({entry.pool_id for entry in entries if not entry.published}),
        n_recipes=len({entry.recipe_id for entry in entries if not entry.published}),
        n_outdated=data.n_outdated,
        updated_at=data.updated_at,
        csv_url=f"/b/{scale}.csv{query}",
        json_url=f"/b/{scale}.json{query}",
    )


def board_href(scale: str, track: str) -> str:
    """The address of a board."""
    return f"/b/{scale}{_query(track, DEFAULT_SORT)}"


def _n_submissions(entries: Sequence[Entry]) -> int:
    return len({entry.id for entry in entries if not entry.published})


def _sorted(ranked: Sequence[RankedRow], sort: str, data: BoardData) -> Sequence[RankedRow]:
    suite = data.suite
    return sort_rows(ranked, sort, (*data.groups, *(suite.groups if suite else ())))


def _axis(ranked: Sequence[RankedRow]) -> Axis:
    ends = [end for r in ranked if r.row.average for end in interval_ends(r.row.average)]
    return nice_axis(ends)


def _line(ranked: RankedRow, means: Mapping[str, _Means], axis: Axis) -> BoardLine:
    row = ranked.row
    cells = []
    for group, ends in means.items():
        found = row.groups.get(group)
        cells.append(GroupCell(group, found, shade(found.mean if found else None, ends)))
    return BoardLine(
        rank=ranked.rank,
        row=row,
        whisker=whisker(row.average, axis) if row.average else None,
        cells=tuple(cells),
        share_units=round(SHARE_UNITS * min(row.share, 1.0), 1),
    )


def _means(ranked: Sequence[RankedRow], group: str) -> _Means:
    spreads = (r.row.groups.get(group) for r in ranked)
    present = [found.mean for found in spreads if found is not None]
    return (min(present), max(present)) if present else None


def _query(track: str, sort: str) -> str:
    """What follows the address of a board to name it and its order."""
    named = {"track": track} if track != FILTERING else {}
    if sort != DEFAULT_SORT:
        named["sort"] = sort
    return "?" + urlencode(named) if named else ""


def _columns(scale: str, track: str, sort: str, groups: Sequence[str]) -> dict[str, Column]:
    labels = _LABELS | {GROUP_PREFIX + group: label(group) for group in groups}
    return {key: _column(scale, track, key, text, sort) for key, text in labels.items()}


def _column(scale: str, track: str, key: str, text: str, sort: str) -> Column:
    direction = None
    if sort.removeprefix("-") == key:
        direction = "descending" if sort.startswith("-") else "ascending"
    first, other = (key, f"-{key}") if key in _TEXT else (f"-{key}", key)
    target = other if sort == first else first
    return Column(key, text, f"/b/{scale}{_query(track, target)}", direction)
