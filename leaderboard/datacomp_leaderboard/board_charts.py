"""The charts of a board's page, from its rows; pure."""

from collections.abc import Sequence

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Chart
from datacomp_leaderboard.charting.averages import MAX_DOTS, Kept, Kind, share
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.query import FILTERING
from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.rules import Rule, chance_of


def share_chart(data: BoardData, ranked: Sequence[RankedRow], rule: Rule) -> Chart | None:
    """Averages of rows against the share of the pool, by a rule that they are ranked by.

    None where fewer than two rows have both, and on own data, of which all is kept.
    """
    if data.track != FILTERING:
        return None
    having = [
        (average, row)
        for row in (r.row for r in ranked)
        if (average := row.average) and row.subset_unique
        if not (row.withdrawn or row.superseded)
    ]
    best = sorted(having, key=lambda pair: -pair[0].mean)[:MAX_DOTS]
    rows = [
        Kept(row.method, row.team, row.share, average.mean, average.half_width, kind_of(row))
        for average, row in best
    ]
    weights = rule.weights(data.suite) if data.suite else {}
    n_tasks = sum(weight > 0 for weight in weights.values())
    chance = chance_of(rule, data.suite) if data.suite else None
    return share(rows, chance=chance, n_tasks=n_tasks, n_rows=len(having))


def kind_of(row: Row) -> Kind:
    """How a row is drawn."""
    if row.oracle:
        return "truth"
    if row.baseline or row.published:
        return "baseline"
    return "measured" if row.level.verified else "reported"
