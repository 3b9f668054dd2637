"""Two to six methods of one board beside each other: from rows to the page and its tables; pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from datacomp.reports import Suite
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Chart, Figure
from datacomp_leaderboard.charting.chart import shown
from datacomp_leaderboard.charting.differences import Difference as Drawn
from datacomp_leaderboard.charting.differences import differences as draw_differences
from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, whisker
from datacomp_leaderboard.compare_pages import (
    ChoosePage,
    CompareCell,
    Compared,
    CompareLine,
    ComparePage,
    FactLine,
    OverlapLine,
)
from datacomp_leaderboard.differences import (
    Difference,
    Value,
    differences,
    in_words,
    tally,
    values_of,
)
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.formatting import count, date, label, percent
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.subset_overlap import Shared
from datacomp_leaderboard.twins import Column, Table

LEAST, MOST = 2, 6
LETTERS = "ABCDEF"
_OFFERED = 100
_LONGEST_NAME = 60

Overlaps = Mapping[tuple[str, str], Shared]
"""What the subsets of two rows share, by their ids in the order of the comparison."""


def build_choose(board: BoardData, chosen: Sequence[str], problem: str | None) -> ChoosePage:
    """The form of a board: its best rows, and those that were chosen already."""
    best = list(board.ranked[:_OFFERED])
    best += [r for r in board.ranked[_OFFERED:] if r.row.id in chosen]
    return ChoosePage(
        title="Compare methods",
        scale=board.scale,
        track=board.track,
        problem=problem,
        rows=tuple(best),
        chosen=tuple(chosen),
        n_more=len(board.ranked) - len(best),
    )


def find_row(board: BoardData, submission_id: str) -> Row | None:
    """The row that a submission is of: its own, its method's, or one that was replaced."""
    for row in _rows(board):
        if submission_id == row.id or submission_id in row.submissions:
            return row
    return None


def _rows(board: BoardData) -> Iterator[Row]:
    yield from board.rows
    yield from board.superseded  # which cost something to make


def compare_href(ids: Sequence[str]) -> str:
    """The address of a comparison."""
    return f"/compare?ids={','.join(ids)}"


def build_compare(
    board: BoardData, rows: Sequence[Row], overlaps: Overlaps, *, drawn: bool
) -> tuple[ComparePage, tuple[Table, ...], tuple[Chart, ...]]:
    """The page of two to six different rows of `board`, its tables and charts.

    `drawn` says whether charts can be drawn.
    """
    by_rank = {r.row.id: r for r in board.ranked}
    found = [by_rank[row.id].row if row.id in by_rank else row for row in rows]
    ids = [row.id for row in found]
    diffs = [_against_first(board.suite, found[0], row) for row in found[1:]]
    axis = nice_axis([e for row in found if row.average for e in interval_ends(row.average)])
    chart = _chart(found, diffs)
    query = f"?ids={','.join(ids)}"
    page = ComparePage(
        title=" and ".join(shown(row.method, _LONGEST_NAME) for row in found),
        scale=board.scale,
        track=board.track,
        board_href=f"/b/{board.scale}"
        + (f"?track={board.track}" if board.track != FILTERING else ""),
        rule_title=board.rule.title,
        methods=tuple(
            _compared(board, i, row, by_rank, diffs, axis, ids) for i, row in enumerate(found)
        ),
        sentences=tuple(_sentence(board, found, i, diff) for i, diff in enumerate(diffs, start=1)),
        axis=axis,
        tasks=_lines(board.suite, found, diffs),
        facts=_facts(found),
        overlaps=_overlaps(found, overlaps),
        figure=Figure(chart, f"/compare/{chart.name}", query, drawn) if chart else None,
        query=query,
        choose_href=f"/compare?scale={board.scale}",
    )
    charts = (chart,) if chart else ()
    return page, (_task_table(found, diffs), _overlap_table(page)), charts


def _against_first(suite: Suite | None, first: Row, other: Row) -> tuple[Difference, ...]:
    if suite is None:
        return ()
    return differences(suite, values_of(other), values_of(first))


def _compared(
    board: BoardData,
    i: int,
    row: Row,
    by_rank: Mapping[str, RankedRow],
    diffs: Sequence[Sequence[Difference]],
    axis: Axis,
    ids: Sequence[str],
) -> Compared:
    standing = board.standings.of.get(row.id)
    interval = None
    if standing is not None and standing.rank_low is not None and standing.rank_high is not None:
        interval = (standing.rank_low, standing.rank_high)
    others = [one for one in ids if one != row.id]
    return Compared(
        letter=LETTERS[i],
        row=row,
        rank=by_rank[row.id].rank if row.id in by_rank else None,
        ranks=interval,
        whisker=whisker(row.average, axis) if row.average else None,
        tally=tally(diffs[i - 1]) if i else None,
        first_href=compare_href([row.id, *others]) if i else None,
    )


def _sentence(board: BoardData, rows: Sequence[Row], i: int, found: Sequence[Difference]) -> str:
    first, other = rows[0], rows[i]
    weights = board.rule.weights(board.suite) if board.suite else {}
    names = [
        f"{LETTERS[at]} ({shown(row.method, _LONGEST_NAME)})"
        for at, row in ((i, other), (0, first))
    ]
    average = _difference_of(other, first)
    return in_words(names[0], names[1], found, weights, average, board.groups)


def _difference_of(a: Row, b: Row) -> Value | None:
    if a.average is None or b.average is None:
        return None
    one, other = a.average, b.average
    both = Difference("", "", (), Value(one.mean, one.stderr), Value(other.mean, other.stderr))
    return Value(one.mean - other.mean, both.stderr)


def _chart(rows: Sequence[Row], diffs: Sequence[Sequence[Difference]]) -> Chart | None:
    found = [
        drawn_difference(one, row.method)
        for task in zip(*diffs, strict=True)
        for row, one in zip(rows[1:], task, strict=True)
        if one.delta is not None
    ]
    title = f"Task by task, beside A, {shown(rows[0].method, _LONGEST_NAME)}."
    return draw_differences(found, reference=rows[0].method, name="differences", title=title)


def drawn_difference(one: Difference, method: str, noise: float | None = None) -> Drawn:
    """A difference that is known, as charts draw it; `noise` is half a band's width, a fraction."""
    return Drawn(
        task=one.name,
        group=label(one.groups[0]) if one.groups else "",
        method=method,
        delta=100 * (one.delta or 0.0),
        half_width=None if one.half_width is None else 100 * one.half_width,
        noise=None if noise is None else 100 * noise,
    )


def _lines(
    suite: Suite | None, rows: Sequence[Row], diffs: Sequence[Sequence[Difference]]
) -> tuple[CompareLine, ...]:
    if suite is None:
        return ()
    lines = []
    for i, task in enumerate(suite.scored):
        first = diffs[0][i].b
        cells = [CompareCell(first.mean if first else None, None, None)]
        for found in (diff[i] for diff in diffs):
            value = found.a.mean if found.a else None
            cells.append(CompareCell(value, found.delta, found.verdict))
        lines.append(CompareLine(task.name, task.groups, tuple(cells)))
    return tuple(lines)


def _facts(rows: Sequence[Row]) -> tuple[FactLine, ...]:
    texts = {
        "Pool": [row.pool_id[:12] or "not known" for row in rows],
        "Recipe": [row.recipe_id[:12] or "not known" for row in rows],
        "Entries of the subset": [count(row.subset_size) for row in rows],
        "Different samples": [count(row.subset_unique) for row in rows],
        "Of the pool": [percent(row.share) for row in rows],
        "Training seeds": [" ".join(map(str, row.seeds)) or "not known" for row in rows],
        "Attempts": [str(row.attempts) for row in rows],
        "Verified": [row.level.label for row in rows],
        "Uses the truth": ["yes" if row.oracle else "no" for row in rows],
        "First handed in": [date(row.submitted_at) for row in rows],
    }
    return tuple(FactLine(name, tuple(t), len(set(t)) > 1) for name, t in texts.items())


def _overlaps(rows: Sequence[Row], found: Overlaps) -> tuple[OverlapLine, ...]:
    lines = []
    for i, j in combinations(range(len(rows)), 2):
        shared = found.get((rows[i].id, rows[j].id))
        same = shared is not None and shared.jaccard == 1.0
        lines.append(OverlapLine(LETTERS[i], LETTERS[j], shared, same))
    return tuple(lines)


def _task_table(rows: Sequence[Row], diffs: Sequence[Sequence[Difference]]) -> Table:
    columns = [Column("task", "Task", "text"), Column("groups", "Groups", "text")]
    for i, row in enumerate(rows):
        letter, name = LETTERS[i].lower(), f"{LETTERS[i]}: {row.method}"
        columns += [
            Column(letter, name, "float"),
            Column(f"{letter}_stderr", f"{name}, stderr", "float"),
        ]
        if i:
            columns.append(Column(f"{letter}_minus_a", f"{name}, minus A", "float"))
            columns.append(Column(f"{letter}_half_width", f"{name}, ± (95%)", "float"))
            columns.append(Column(f"{letter}_verdict", f"{name}, against A", "text"))
    cells = []
    for task in zip(*diffs, strict=True):
        line: list[str | float | None] = [task[0].key, ", ".join(task[0].groups)]
        line += _pair(task[0].b)
        for one in task:
            line += [*_pair(one.a), one.delta, one.half_width, one.verdict]
        cells.append(tuple(line))
    return Table("tasks", "Methods task by task", tuple(columns), tuple(cells))


def _pair(value: Value | None) -> list[float | None]:
    return [value.mean, value.stderr] if value else [None, None]


def _overlap_table(page: ComparePage) -> Table:
    columns = (
        Column("a", "Method", "text"),
        Column("b", "Other method", "text"),
        Column("jaccard", "Jaccard index", "float"),
        Column("of_a", "Share of the first in the second", "float"),
        Column("of_b", "Share of the second in the first", "float"),
        Column("stderr", "Standard error of the index", "float"),
    )
    names = {one.letter: one.row.method for one in page.methods}
    cells = []
    for line in page.overlaps:
        s = line.shared
        numbers = (s.jaccard, s.of_a, s.of_b, s.stderr) if s else (None, None, None, None)
        cells.append((names[line.a], names[line.b], *numbers))
    return Table("overlap", "What the subsets share", columns, tuple(cells))
