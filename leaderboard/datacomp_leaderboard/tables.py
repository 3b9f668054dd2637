"""The data twins of a board: the same rows in the same order as CSV and as JSON."""

import csv
import io
from dataclasses import fields
from typing import Any

from datacomp_leaderboard.entries import Row, Spread
from datacomp_leaderboard.pages import BoardLine, BoardPage

# what else a row holds is for pages alone
_PLAIN = [f.name for f in fields(Row) if f.name not in ("counted", "robust", "superseded")]
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


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


def board_csv(page: BoardPage) -> str:
    """The board as CSV (RFC 4180). Absent numbers are empty.

    A text that a spreadsheet would run as a formula gets a quote before it.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    fixed = [
        "rank",
        "method",
        "team",
        "oracle",
        "baseline",
        "withdrawn",
        "published",
        "level",
        "average",
    ]
    fixed += ["average_stderr", "seed_sd", "seeds", "subset_size", "subset_unique"]
    fixed += ["pool_size", "pool_id", "date", "id"]
    groups = [part for g in page.groups for part in (f"group_{g}", f"group_{g}_stderr")]
    writer.writerow([*fixed, *groups])
    for line in page.lines:
        row = line.row
        cells: list[object] = [line.rank, inert(row.method), inert(row.team)]
        cells += [row.oracle, row.baseline, row.withdrawn, row.published, row.level.label]
        cells += [*_pair(row.average), row.average.sd if row.average else None]
        cells += [" ".join(map(str, row.seeds)), row.subset_size, row.subset_unique]
        cells += [row.pool_size, inert(row.pool_id), row.submitted_at.isoformat(), row.id]
        for group in page.groups:
            cells += _pair(row.groups.get(group))
        writer.writerow(cells)
    return out.getvalue()


def inert(text: str) -> str:
    """`text`, with a quote before it if a spreadsheet would take it for a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


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
