"""The data twins of a board: all rows of a view as a table, and as the API's JSON."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from datacomp_leaderboard.board_cells import column_labels, spread_of
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_view import BoardView, without_of
from datacomp_leaderboard.entries import Row, Spread
from datacomp_leaderboard.ranking import GROUP_PREFIX, TASK_PREFIX, RankedRow
from datacomp_leaderboard.twins import Cell, Column, Table

# what else a row holds is for pages alone
_PLAIN = [f.name for f in fields(Row) if f.name not in ("counted", "robust", "superseded")]


def board_json(view: BoardView) -> dict[str, Any]:
    """The board as JSON values; absent numbers are null."""
    data = view.data
    return {
        "scale": data.scale,
        "track": data.track,
        "sort": view.query.sort,
        "rule": view.rule.id,
        "chance": view.chance,
        "updated_at": data.updated_at.isoformat() if data.updated_at else None,
        "rows": [_json_row(ranked) for ranked in view.selected],
    }


def board_table(view: BoardView) -> Table:
    """The rows of a view in its order, all pages of them; tasks where the view shows some."""
    suite, names = view.data.suite, column_labels(view.data.suite, view.data.groups)
    asked = view.query.shown_columns(suite) if suite else ()
    numbers = [GROUP_PREFIX + group for group in view.data.groups]
    numbers += [key for key in asked if key.startswith(TASK_PREFIX)]
    columns = [
        Column("rank", "Rank", "int"),
        Column("rank_low", "Rank, low end of the 95% interval", "int"),
        Column("rank_high", "Rank, high end of the 95% interval", "int"),
        Column("tier", "Tier", "int"),
        Column("method", "Method", "text"),
        Column("team", "Team", "text"),
        Column("oracle", "Uses the truth", "bool"),
        Column("baseline", "Baseline", "bool"),
        Column("withdrawn", "Withdrawn", "bool"),
        Column("published", "Copied from a paper", "bool"),
        Column("superseded", "Replaced by a newer report", "bool"),
        Column("level", "Verified", "text"),
        *_spread("average", "Average"),
        Column("seed_sd", "Standard deviation over seeds", "float"),
        *_spread("robust", "Robust average"),
        Column("seeds", "Seeds", "text"),
        Column("attempts", "Reports", "int"),
        Column("subset_size", "Samples", "int"),
        Column("subset_unique", "Unique samples", "int"),
        Column("pool_size", "Samples of the pool", "int"),
        Column("share", "Share of the pool", "float", "fraction"),
        Column("pool_id", "Pool", "text"),
        Column("date", "Date", "date"),
        Column("id", "Submission", "text"),
    ]
    for key in numbers:
        columns += _spread(key.replace(":", "_"), names[key])
    title = f"The board {view.data.scale} by {view.rule.id}"
    rows = tuple(_cells(view, ranked, numbers) for ranked in view.selected)
    return Table("board", title, tuple(columns), rows)


def without_table(data: BoardData) -> Table:
    """Who would lead without each of the tasks."""
    columns = (
        Column("task", "Left out", "text"),
        Column("leader", "Leader without it", "text"),
        Column("changes", "Another leader", "bool"),
        Column("tau", "Kendall's tau with the order", "float"),
    )
    rows = tuple((one.name, one.leader, one.changes, one.tau) for one in without_of(data))
    return Table("without-a-task", "The order without one task", columns, rows)


def _spread(key: str, words: str) -> list[Column]:
    return [
        Column(key, words, "float", "fraction"),
        Column(f"{key}_stderr", f"{words}, standard error", "float", "fraction"),
    ]


def _cells(view: BoardView, ranked: RankedRow, numbers: Sequence[str]) -> tuple[Cell, ...]:
    row, standing = ranked.row, view.standings.of.get(ranked.row.id)
    if row.superseded:
        standing = None
    cells: list[Cell] = [ranked.rank]
    cells += [standing.rank_low, standing.rank_high, standing.tier] if standing else [None] * 3
    cells += [row.method, row.team, row.oracle, row.baseline, row.withdrawn, row.published]
    cells += [row.superseded, row.level.label]
    cells += [*_pair(row.average), row.average.sd if row.average else None, *_pair(row.robust)]
    cells += [" ".join(map(str, row.seeds)), row.attempts, row.subset_size, row.subset_unique]
    cells += [row.pool_size, row.share, row.pool_id, row.submitted_at, row.id]
    for key in numbers:
        cells += _pair(spread_of(row, key))
    return tuple(cells)


def _pair(spread: Spread | None) -> tuple[float | None, float | None]:
    return (spread.mean, spread.stderr) if spread else (None, None)


def _json_row(ranked: RankedRow) -> dict[str, Any]:
    row = ranked.row
    return {
        "rank": ranked.rank,
        **{name: getattr(row, name) for name in _PLAIN},
        "submitted_at": row.submitted_at.isoformat(),
        "level": row.level.label,
        "average": _json_spread(row.average),
        "groups": {name: _json_spread(found) for name, found in row.groups.items()},
        "seeds": list(row.seeds),
        "submissions": list(row.submissions),
        "share_of_pool": row.share,
    }


def _json_spread(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    return {
        "mean": spread.mean,
        "stderr": spread.stderr,
        "seed_sd": spread.sd,
        "low": spread.low,
        "high": spread.high,
    }
