"""A submission's method beside a reference, task by task; pure.

The reference is the leader of the board, its best baseline, or the median of each task over all
methods that compete.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from datacomp.errors import UnknownNameError
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Chart, Figure
from datacomp_leaderboard.charting.chart import shown
from datacomp_leaderboard.charting.differences import differences as draw_differences
from datacomp_leaderboard.comparing import drawn_difference
from datacomp_leaderboard.differences import (
    Difference,
    Tally,
    Value,
    Values,
    differences,
    medians,
    tally,
    values_of,
)
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.twins import Column, Table

REFERENCES = {"leader": "the leader", "baseline": "the best baseline", "median": "the median"}
SORTS = {"group": "group", "delta": "difference", "noise": "difference over its noise"}
_LEAST_FOR_MEDIAN = 3
Reference = tuple[Row | None, Callable[[], Values]]
"""A method, None for the median, and how to get its values."""
_COLUMNS = (
    Column("task", "Task", "text"),
    Column("groups", "Groups", "text"),
    Column("value", "Value", "float"),
    Column("value_stderr", "Value, stderr", "float"),
    Column("reference", "Reference", "float"),
    Column("reference_stderr", "Reference, stderr", "float"),
    Column("difference", "Difference", "float"),
    Column("half_width", "± (95%)", "float"),
    Column("z", "Difference in standard errors", "float"),
    Column("verdict", "Against the reference", "text"),
)


@dataclass(frozen=True)
class Link:
    """One choice of several."""

    text: str
    href: str
    current: bool


@dataclass(frozen=True)
class Fingerprint:
    """The differences to a reference; `row` is the method that it is, None for the median.

    `missing` says why there is none, where there is none.
    """

    reference: str
    row: Row | None
    n_seeds: int
    tally: Tally | None
    lines: Mapping[str, Difference]
    references: tuple[Link, ...]
    sorts: tuple[Link, ...]
    figure: Figure | None
    missing: str | None


@dataclass(frozen=True)
class Asked:
    """What a query asks of the fingerprint; `reference` None is the first that there is."""

    reference: str | None = None
    sort: str = "group"

    @classmethod
    def of(cls, reference: str | None, sort: str | None) -> "Asked":
        """`UnknownNameError` for a name that is none."""
        if reference is not None and reference not in REFERENCES:
            raise UnknownNameError("reference", reference, REFERENCES)
        if sort is not None and sort not in SORTS:
            raise UnknownNameError("order", sort, SORTS)
        return cls(reference, sort or "group")

    def query(self, **changes: str | None) -> str:
        """The query string, without what is left to the page."""
        named = {"reference": self.reference, "sort": self.sort} | changes
        pairs = [(k, v) for k, v in named.items() if v is not None and (k, v) != ("sort", "group")]
        return "?" + urlencode(sorted(pairs)) if pairs else ""


def build_fingerprint(
    board: BoardData, own: Row, asked: Asked, address: str, *, drawn: bool
) -> tuple[Fingerprint, Table, Chart | None]:
    """The fingerprint of a row of `board`, its table, and its picture; `address` is the page's."""
    there = _references(board, own)
    key = asked.reference or next(iter(there), "median")
    row, read = there.get(key, (None, _nothing))
    values = read()
    found = differences(board.suite, values_of(own), values) if board.suite and values else ()
    found = _sorted(found, asked.sort, board.groups)
    name = f"{REFERENCES[key]}, {shown(row.method, 60)}" if row else REFERENCES[key]
    chart = draw_differences(
        [drawn_difference(one, own.method, one.noise) for one in found if one.delta is not None],
        reference=shown(row.method, 60) if row else REFERENCES[key],
        title=f"Task by task, beside {name}.",
    )
    links = tuple(
        Link(words, address + asked.query(reference=one), one == key)
        for one, words in REFERENCES.items()
        if one in there
    )
    page = Fingerprint(
        reference=name,
        row=row,
        n_seeds=len(own.seeds),
        tally=tally(found) if found else None,
        lines={one.key: one for one in found},
        references=links,
        sorts=tuple(
            Link(words, address + asked.query(sort=one), one == asked.sort)
            for one, words in SORTS.items()
        ),
        figure=Figure(chart, f"{address}/{chart.name}", asked.query(), drawn) if chart else None,
        missing=None if values else f"The board does not have {REFERENCES[key]} to compare with.",
    )
    return page, Table("fingerprint", f"Beside {name}", _COLUMNS, tuple(map(_cells, found))), chart


def _references(board: BoardData, own: Row) -> dict[str, Reference]:
    """What there is to compare with, besides itself."""
    others = [r.row for r in board.ranked if r.row.id != own.id and _has_tasks(r.row)]
    found: dict[str, Reference] = {}
    leader = next((r.row for r in board.ranked if r.rank == 1), None)
    if leader is None:  # where nobody has a rank, who would have the first
        leader = next((r.row for r in board.ranked if r.row.competes and r.row.average), None)
    if leader is not None and leader.id != own.id and _has_tasks(leader):
        found["leader"] = (leader, partial(values_of, leader))
    baseline = next((row for row in others if row.baseline and row.average), None)
    if baseline is not None:
        found["baseline"] = (baseline, partial(values_of, baseline))
    competing = frozenset(row.id for row in others if row.competes and row.average)
    if len(competing) >= _LEAST_FOR_MEDIAN:
        found["median"] = (None, partial(medians, board.scores, competing))
    return found


def _has_tasks(row: Row) -> bool:
    return bool(row.counted) and len(row.counted[0].tasks) > 0


def _nothing() -> Values:
    return {}


def _sorted(
    found: Sequence[Difference], sort: str, groups: Sequence[str]
) -> tuple[Difference, ...]:
    if sort == "group":
        order = {group: i for i, group in enumerate(groups)}
        return tuple(
            sorted(found, key=lambda one: min((order.get(g, 99) for g in one.groups), default=99))
        )

    def number(one: Difference) -> float:
        value = one.delta if sort == "delta" else one.z
        return float("inf") if value is None else -value

    return tuple(sorted(found, key=number))


def _cells(one: Difference) -> tuple[str | float | None, ...]:
    verdict = {"win": "above", "loss": "below", "tie": "within noise", None: None}[one.verdict]
    return (
        one.key,
        ", ".join(one.groups),
        *_pair(one.a),
        *_pair(one.b),
        one.delta,
        one.half_width,
        one.z,
        verdict,
    )


def _pair(value: Value | None) -> tuple[float | None, float | None]:
    return (value.mean, value.stderr) if value else (None, None)
