"""The charts of a board's page, from its rows; pure."""

from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Chart
from datacomp_leaderboard.charting.averages import Kept, Kind, share
from datacomp_leaderboard.entries import Row
from datacomp_leaderboard.query import FILTERING


def share_chart(data: BoardData) -> Chart | None:
    """Averages against the share of the pool, by the rule in force.

    None where fewer than two rows have both, and on own data, of which all is kept.
    """
    if data.track != FILTERING:
        return None
    rows = [
        Kept(
            row.method, row.team, row.share, row.average.mean, row.average.half_width, kind_of(row)
        )
        for row in (ranked.row for ranked in data.ranked)
        if row.average is not None and row.subset_unique and not row.withdrawn
    ]
    weights = data.rule.weights(data.suite) if data.suite else {}
    n_tasks = sum(weight > 0 for weight in weights.values())
    return share(rows, chance=data.chance, n_tasks=n_tasks)


def kind_of(row: Row) -> Kind:
    """How a row is drawn."""
    if row.oracle:
        return "truth"
    if row.baseline or row.published:
        return "baseline"
    return "measured" if row.level.verified else "reported"
