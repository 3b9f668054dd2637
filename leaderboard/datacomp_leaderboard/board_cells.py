"""The cells of a board's table: which columns a view has, and what stands in each; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from datacomp.reports import Suite
from datacomp_leaderboard.board_pages import Cell, Heading
from datacomp_leaderboard.charts import shade
from datacomp_leaderboard.entries import Row, Spread
from datacomp_leaderboard.formatting import ABSENT, date, label, percent, score, short_count
from datacomp_leaderboard.query import BoardQuery
from datacomp_leaderboard.ranking import COLUMNS, DEFAULT_SORT, GROUP_PREFIX, TASK_PREFIX, RankedRow

# columns that people read from the low end first
_TEXT = frozenset({"method", "team"})
LABELS = {
    "method": "Method",
    "team": "Team",
    "average": "Average",
    "level": "Verified",
    "robust": "Robust average",
    "seeds": "Seeds",
    "attempts": "Reports",
    "subset": "Samples",
    "share": "Of pool",
    "date": "Date",
}
# what has its own place in each row, whatever is asked for
FIXED = ("method", "team", "average")
STABILITY = "stability"


@dataclass(frozen=True)
class Columns:
    """The columns of a view: headings of method, team, average, then those of `keys`.

    `shades` has the lowest and highest number of each column of numbers alike, on this page.
    """

    headings: tuple[Heading, ...]
    keys: tuple[str, ...]
    labels: Mapping[str, str]
    shades: Mapping[str, tuple[float, float]]
    stability: Mapping[str, float]


def columns_of(
    query: BoardQuery,
    suite: Suite | None,
    groups: Sequence[str],
    shown: Sequence[RankedRow],
    stability: Mapping[str, float],
) -> Columns:
    """The columns of a view with these rows on its page; `stability` is empty where not shown."""
    names = column_labels(suite, groups)
    asked = query.shown_columns(suite) if suite else LABELS
    shared = [key for key in asked if key in names]
    keys = [key for key in dict.fromkeys(shared) if key not in FIXED]
    if stability:
        keys.insert(keys.index("level") + 1 if "level" in keys else 0, STABILITY)
    shades = {}
    for key in keys:
        if key.startswith((GROUP_PREFIX, TASK_PREFIX)):
            present = [s.mean for r in shown if (s := spread_of(r.row, key)) is not None]
            if present:
                shades[key] = (min(present), max(present))
    headings = [heading(query, key, names[key]) for key in FIXED]
    headings += [
        Heading(STABILITY, "Stays in the top 3", "", None)
        if key == STABILITY
        else heading(query, key, names[key])
        for key in keys
    ]
    return Columns(tuple(headings), tuple(keys), names, shades, stability)


def column_labels(suite: Suite | None, groups: Sequence[str]) -> dict[str, str]:
    """The name of every column that a board can have, by key."""
    tasks = {TASK_PREFIX + task.key: task.name for task in suite.scored} if suite else {}
    return LABELS | {GROUP_PREFIX + group: label(group) for group in groups} | tasks


def heading(query: BoardQuery, key: str, text: str) -> Heading:
    """A column's heading; its link sorts by it, and the other way round if it is sorted already."""
    direction = None
    if query.sort.removeprefix("-") == key:
        direction = "descending" if query.sort.startswith("-") else "ascending"
    first, other = (key, f"-{key}") if key in _TEXT else (f"-{key}", key)
    target = other if query.sort == first else first
    return Heading(key, text, query.href(sort=target or DEFAULT_SORT), direction)


def cells_of(row: Row, columns: Columns) -> tuple[Cell, ...]:
    """The cells of a row."""
    return tuple(_cell(row, key, columns) for key in columns.keys)


def spread_of(row: Row, key: str) -> Spread | None:
    """The mean of a task group or a task."""
    if key.startswith(GROUP_PREFIX):
        return row.groups.get(key.removeprefix(GROUP_PREFIX))
    return row.tasks.get(key.removeprefix(TASK_PREFIX))


def _cell(row: Row, key: str, columns: Columns) -> Cell:
    if key == STABILITY:
        stays = columns.stability.get(row.id)
        return Cell(key, "Top 3 in", ABSENT if stays is None else f"{100 * stays:.0f}%")
    if key in COLUMNS:
        text, note = _WRITERS[key](row)
        return Cell(key, columns.labels[key], text, note)
    found = spread_of(row, key)
    mean = found.mean if found else None
    return Cell(key, columns.labels[key], score(mean), shade=shade(mean, columns.shades.get(key)))


def _robust(row: Row) -> tuple[str, str]:
    if row.robust is None:
        return ABSENT, ""
    half = row.robust.half_width
    return score(row.robust.mean), "" if half is None else f"± {score(half)}"


def _seeds(row: Row) -> tuple[str, str]:
    sd = row.average.sd if row.average else None
    notes = [] if sd is None else [f"sd {score(sd)}"]
    return str(len(row.seeds) or ABSENT), ", ".join(notes)


def _subset(row: Row) -> tuple[str, str]:
    size, unique = short_count(row.subset_size), short_count(row.subset_unique)
    return size, "" if unique == size else f"{unique} unique"


_WRITERS: dict[str, Callable[[Row], tuple[str, str]]] = {
    "level": lambda row: (row.level.label, ""),
    "robust": _robust,
    "seeds": _seeds,
    "attempts": lambda row: (str(row.attempts or ABSENT), ""),
    "subset": _subset,
    "share": lambda row: (percent(row.share), ""),
    "date": lambda row: (date(row.submitted_at), ""),
}
