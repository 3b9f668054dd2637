"""The order of a board: one pure function, and sorting by any column without touching the ranks.

What the average is of, a rule says (see `rules`). The order: complete averages from high to low,
then the earlier date, then the id. A row without a number stands below every row with one. A row
that does not compete (it uses the truth, is a baseline, was withdrawn or replaced) stands at its
place, without a rank. Ranks 1 to 3 are for rows that were re-evaluated or more: another row has no
rank as long as fewer than three of those stand above it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from datacomp.errors import UnknownNameError
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Row

DEFAULT_SORT = "-average"
GROUP_PREFIX = "group:"
TASK_PREFIX = "task:"
PODIUM = 3
PODIUM_LEVEL = Level.RE_EVALUATED

SortValue = float | str | None
Ranks = Mapping[str, int | None]
"""The rank of each row of a board, by the row's id."""


@dataclass(frozen=True)
class RankedRow:
    """A row and its rank from 1; `rank` is None for a row that the rule gives none."""

    row: Row
    rank: int | None


def rank(rows: Iterable[Row], podium_level: Level = PODIUM_LEVEL) -> tuple[RankedRow, ...]:
    """Every row once, best first, in an order that does not depend on the order of `rows`.

    Ranks 1 to 3 are for rows of `podium_level` or more.
    """
    ordered = sorted(rows, key=_merit)
    ranked, place = [], 0
    for row in ordered:
        counts = row.average is not None and row.competes
        counts = counts and (row.level >= podium_level or place >= PODIUM)
        place += counts
        ranked.append(RankedRow(row, place if counts else None))
    return tuple(ranked)


COLUMNS: dict[str, Callable[[Row], SortValue]] = {
    "average": lambda row: row.average.mean if row.average else None,
    "robust": lambda row: row.robust.mean if row.robust else None,
    "method": lambda row: row.method.casefold(),
    "team": lambda row: row.team.casefold(),
    "seeds": lambda row: len(row.seeds),
    "attempts": lambda row: row.attempts,
    "level": lambda row: int(row.level),
    "subset": lambda row: row.subset_size,
    "share": lambda row: row.share,
    "date": lambda row: row.submitted_at.timestamp(),
}


def sort_rows(
    ranked: Sequence[RankedRow], sort: str, groups: Sequence[str], tasks: Sequence[str] = ()
) -> tuple[RankedRow, ...]:
    """Order by `sort`: a column's name, or `-` and the name for high to low.

    A task group is `group:NAME`, a task `task:KEY`. Ties keep the order of the ranking, and rows
    without a value come last in either direction. `UnknownNameError` if there is no such column.
    """
    value = column(sort.removeprefix("-"), groups, tasks)
    keyed = [(value(r.row), r) for r in ranked]
    present = [pair for pair in keyed if pair[0] is not None]
    absent = [r for found, r in keyed if found is None]
    # sorted(reverse=True) keeps the order of equals, so that ties stay in order of merit
    present.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))  # type: ignore[arg-type,return-value]  # one column holds one type
    return (*(r for _, r in present), *absent)


def column(
    name: str, groups: Sequence[str], tasks: Sequence[str] = ()
) -> Callable[[Row], SortValue]:
    """The value of a column for a row; `UnknownNameError` if there is no such column."""
    if name in COLUMNS:
        return COLUMNS[name]
    known = {GROUP_PREFIX + group: group for group in groups}
    known |= {TASK_PREFIX + task: task for task in tasks}
    if name not in known:
        raise UnknownNameError("board column", name, [*COLUMNS, *known])
    key, of_group = known[name], name.startswith(GROUP_PREFIX)

    def mean(row: Row) -> SortValue:
        spread = (row.groups if of_group else row.tasks).get(key)
        return spread.mean if spread else None

    return mean


def _merit(row: Row) -> tuple[bool, float, datetime, str]:
    mean = row.average.mean if row.average else 0.0
    return (row.average is None, -mean, row.submitted_at, row.id)
