"""The data twins of a board: the same rows in the same order as a table, and as the API's JSON."""

from dataclasses import fields
from typing import Any

from datacomp_leaderboard.entries import Row, Spread
from datacomp_leaderboard.formatting import label
from datacomp_leaderboard.pages import BoardLine, BoardPage
from datacomp_leaderboard.twins import Cell, Column, Table

# what else a row holds is for pages alone
_PLAIN = [f.name for f in fields(Row) if f.name not in ("counted", "robust", "superseded")]


def board_json(page: BoardPage) -> dict[str, Any]:
    """The board as JSON values; absent numbers are null."""
    return {
        "scale": page.scale,
        "track": page.track,
        "sort": page.sort,
        "rule": page.rule.id,
        "chance": page.chance,
        "updated_at": page.updated_at.isoformat() if page.updated_at else None,
        "rows": [_json_row(line) for line in page.lines],
    }


def board_table(page: BoardPage) -> Table:
    """The rows of a board in its order."""
    columns = [
        Column("rank", "Rank", "int"),
        Column("method", "Method", "text"),
        Column("team", "Team", "text"),
        Column("oracle", "Uses the truth", "bool"),
        Column("baseline", "Baseline", "bool"),
        Column("withdrawn", "Withdrawn", "bool"),
        Column("published", "Copied from a paper", "bool"),
        Column("level", "Verified", "text"),
        *_spread("average", "Average"),
        Column("seed_sd", "Standard deviation over seeds", "float"),
        Column("seeds", "Seeds", "text"),
        Column("subset_size", "Samples", "int"),
        Column("subset_unique", "Unique samples", "int"),
        Column("pool_size", "Samples of the pool", "int"),
        Column("pool_id", "Pool", "text"),
        Column("date", "Date", "date"),
        Column("id", "Submission", "text"),
    ]
    for group in page.groups:
        columns += _spread(f"group_{group}", label(group))
    title = f"{page.title}, by {page.rule.id}"
    return Table("board", title, tuple(columns), tuple(_cells(page, line) for line in page.lines))


def _spread(key: str, words: str) -> list[Column]:
    return [
        Column(key, words, "float", "fraction"),
        Column(f"{key}_stderr", f"{words}, standard error", "float", "fraction"),
    ]


def _cells(page: BoardPage, line: BoardLine) -> tuple[Cell, ...]:
    row = line.row
    cells: list[Cell] = [line.rank, row.method, row.team]
    cells += [row.oracle, row.baseline, row.withdrawn, row.published, row.level.label]
    cells += [*_pair(row.average), row.average.sd if row.average else None]
    cells += [" ".join(map(str, row.seeds)), row.subset_size, row.subset_unique]
    cells += [row.pool_size, row.pool_id, row.submitted_at, row.id]
    for group in page.groups:
        cells += _pair(row.groups.get(group))
    return tuple(cells)


def _pair(spread: Spread | None) -> tuple[float | None, float | None]:
    return (spread.mean, spread.stderr) if spread else (None, None)


def _json_row(line: BoardLine) -> dict[str, Any]:
    row = line.row
    return {
        "rank": line.rank,
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
