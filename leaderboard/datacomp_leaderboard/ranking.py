"""The order of a board: one pure function, and sorting by any column without touching the ranks.

Rule, version 2: complete averages from high to low, then the earlier date, then the id. A row
without a number stands below every row with one. A row that does not compete (it uses the truth,
is a baseline, was withdrawn) stands at its place, without a rank. Ranks 1 to 3 are for rows that
were re-evaluated or more: another row has no rank as long as fewer than three of those stand above
it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from datacomp.errors import UnknownNameError
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Row

DEFAULT_SORT = "-average"
GROUP_PREFIX = "group:"
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


def rank(rows: Iterable[Row]) -> tuple[RankedRow, ...]:
    """Every row once, best first, in an order that does not depend on the order of `rows`."""
    ordered = sorted(rows, key=_merit)
    ranked, place = [], 0
    for row in ordered:
        counts = row.average is not None and row.competes
        counts = counts and (row.level >= PODIUM_LEVEL or place >= PODIUM)
        place += counts
        ranked.append(RankedRow(row, place if counts else None))
    return tuple(ranked)


COLUMNS: dict[str, Callable[[Row], SortValue]] = {
    "average": lambda row: row.average.mean if row.average else None,
    "method": lambda row: row.method.casefold(),
    "team": lambda row: row.team.casefold(),
    "seeds": lambda row: len(row.seeds),
    "level": lambda row: int(row.level),
    "subset": lambda row: row.subset_size,
    "share": lambda row: row.share,
    "date": lambda row: row.submitted_at.timestamp(),
}


def sort_rows(
    ranked: Sequence[RankedRow], sort: str, groups: Sequence[str]
) -> tuple[RankedRow, ...]:
    """Order by `sort`: a column's name, or `-` and the name for high to low.

    A task group is `group:<name>`. Ties keep the order of the ranking, and rows without a value
    come last in either direction. `UnknownNameError` if there is no such column.
    """
    name = sort.removeprefix("-")
    value = _column(name, groups)
    present = [r for r in ranked if value(r.row) is not None]
    absent = [r for r in ranked if value(r.row) is None]
    # sorted(reverse=True) keeps the order of equals, so that ties stay in order of merit
    present = sorted(present, key=lambda r: value(r.row), reverse=sort.startswith("-"))  # type: ignore[arg-type,return-value]  # one column holds one type
    return (*present, *absent)


def _column(name: str, groups: Sequence[str]) -> Callable[[Row], SortValue]:
    if name in COLUMNS:
        return COLUMNS[name]
    known = [*COLUMNS, *(GROUP_PREFIX + group for group in groups)]
    if name not in known:
        raise UnknownNameError("board column", name, known)
    group = name.removeprefix(GROUP_PREFIX)

    def group_mean(row: Row) -> SortValue:
        found = row.groups.get(group)
        return found.mean if found else None

    return group_mean


def _merit(row: Row) -> tuple[bool, float, float, str]:
    mean = row.average.mean if row.average else 0.0
    return (row.average is None, -mean, row.submitted_at.timestamp(), row.id)
