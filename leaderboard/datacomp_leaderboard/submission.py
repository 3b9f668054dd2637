"""From one report and the board it stands on to the page of a submission; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datacomp.reports import Report, Suite, TaskResult, TaskSpec
from datacomp.submission.profile import Profile
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.charting import Chart, Figure, portraits
from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, whisker
from datacomp_leaderboard.citing import cite
from datacomp_leaderboard.data_portrait import build_parts
from datacomp_leaderboard.entries import Z95, Estimate, Row, Spread, spread
from datacomp_leaderboard.fingerprint import Asked, build_fingerprint
from datacomp_leaderboard.formatting import count, percent
from datacomp_leaderboard.pages import (
    ProvenanceStep,
    SeedLine,
    SubmissionPage,
    SubsetLine,
    TaskLine,
)
from datacomp_leaderboard.ranking import RankedRow
from datacomp_leaderboard.subset_overlap import Shared
from datacomp_leaderboard.trust import Verified, build_trust
from datacomp_leaderboard.twins import Column, Table

_TASK_AXIS_WIDTH, _SCORE_AXIS_WIDTH = 220.0, 320.0


@dataclass(frozen=True, kw_only=True)
class Details:
    """What a submission has besides its report and its entry."""

    id: str
    team: str
    method: str
    description: str | None
    oracle: bool
    attempt: int
    track: str
    submitted_at: datetime
    validator: str
    report_sha256: str
    report_url: str
    lock_url: str | None
    profile_url: str | None
    verified: Verified


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What comes with a submission besides its report. `shares` are other methods' rows with what
    their subsets share with its own, `shares_words` of whom they are.
    """

    asked: Asked
    profile: Profile | None
    profile_source: str
    shares: Sequence[tuple[Row, Shared]]
    shares_words: str
    drawn: bool


@dataclass(frozen=True)
class Made:
    """The page with its tables and charts."""

    page: SubmissionPage
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


def build_submission(details: Details, report: Report, board: BoardData, extras: Extras) -> Made:
    """The page of one submission of `board`, which is one of the report's suite."""
    suite = board.suite
    assert suite is not None, "a report is of a suite that there is"
    outdated = report.suite.sha256 != suite.sha256
    own = None if outdated else _row_of(details, report, board)
    address, query = f"/s/{details.id}", extras.asked.query()

    def figure(chart: Chart) -> Figure:
        return Figure(chart, f"{address}/{chart.name}", query, extras.drawn)

    parts = build_parts(extras.profile, extras.profile_source, figure)
    beside = None
    if own is not None and own.row.counted and own.row.counted[0].tasks:
        beside = build_fingerprint(board, own.row, extras.asked, address, drawn=extras.drawn)
    subsets = tuple(SubsetLine(r.id, r.method, r.team, s) for r, s in extras.shares)
    overlap = portraits.overlap(
        [(f"{one.method} by {one.team}", one.shared.of_a, one.shared.of_b) for one in subsets]
    )
    average = own.row.average if own else None
    score_axis, axis = _score_axis(board, average), _task_axis(report, suite)
    lines = tuple(_task(spec, report.tasks.get(spec.key), axis) for spec in suite.tasks)
    page = SubmissionPage(
        **{name: getattr(details, name) for name in _COPIED},
        **_of_report(report, suite),
        title=details.method,
        outdated=outdated,
        rank=own.rank if own else None,
        n_ranked=sum(rank is not None for rank in board.ranks.values()),
        row_average=average,
        seeds=_seeds(details.id, report.run.seed, own),
        tasks=lines,
        axis=axis,
        trust=build_trust(details.verified, details.id, outdated=outdated, row=own),
        marks=tuple(dict.fromkeys(kind for kind, _ in details.verified.marks)),
        standing=board.standings.of.get(own.row.id) if own else None,
        row_id=own.row.id if own else None,
        score_axis=score_axis,
        score_whisker=whisker(average, score_axis) if average else None,
        cite=cite(
            **{name: getattr(details, name) for name in ("id", "method", "team", "report_sha256")},
            scale=report.run.scale,
            at=details.submitted_at,
        ),
        fingerprint=beside[0] if beside else None,
        data=parts.data,
        training=parts.training,
        subsets=subsets,
        subsets_words=extras.shares_words,
        overlap=figure(overlap) if overlap else None,
        address=address,
        query=query,
    )
    tables = (_task_table(lines), *((beside[1],) if beside else ()), *parts.tables)
    charts = (beside[2] if beside else None, *parts.charts, overlap)
    return Made(page, tables, tuple(chart for chart in charts if chart is not None))


_COPIED = (
    *("id", "team", "method", "description", "oracle", "attempt", "track", "submitted_at"),
    *("validator", "report_url", "report_sha256", "lock_url", "profile_url"),
)


def _of_report(report: Report, suite: Suite) -> dict[str, Any]:
    average, found = report.aggregates.average, report.aggregates.groups
    groups = (*suite.groups, *sorted(set(found) - set(suite.groups)))
    return {
        "scale": report.run.scale,
        "seed": report.run.seed,
        "average": average.value,
        "half_width": None if average.stderr is None else Z95 * average.stderr,
        "chance": average.chance,
        "groups": tuple((g, found[g].value, found[g].stderr) for g in groups if g in found),
        "provenance": _provenance(report, suite),
        "platform": tuple(sorted(report.run.platform.items())),
    }


def _score_axis(board: BoardData, average: Spread | None) -> Axis:
    """From the lowest to the highest average of the board."""
    ends = [r.row.average.mean for r in board.ranked if r.row.average]
    ends += interval_ends(average) if average else ()
    return nice_axis(ends, width=_SCORE_AXIS_WIDTH)


def _row_of(details: Details, report: Report, board: BoardData) -> RankedRow | None:
    """The row of its method with its recipe on its pool, though a newer one may have its place."""
    key = (details.team, details.method, report.run.recipe_id, report.run.pool_id)
    for r in board.ranked:
        if (r.row.team, r.row.method, r.row.recipe_id, r.row.pool_id) == key:
            return r
    return None


def _task_table(lines: Sequence[TaskLine]) -> Table:
    columns = (
        Column("task", "Task", "text"),
        Column("name", "Name", "text"),
        Column("groups", "Groups", "text"),
        Column("scored", "Scored", "bool"),
        Column("metric", "Metric", "text"),
        Column("value", "Value", "float"),
        Column("stderr", "Standard error", "float"),
        Column("chance", "Chance", "float"),
        Column("n", "Items", "int"),
    )
    cells = tuple(
        (t.key, t.name, ", ".join(t.groups), t.scored, t.metric, t.value, t.stderr, t.chance, t.n)
        for t in lines
    )
    return Table("tasks", "Every task of this submission", columns, cells)


def _seeds(own_id: str, own_seed: int, own: RankedRow | None) -> tuple[SeedLine, ...]:
    lines = []
    for entry in own.row.counted if own else ():
        value = entry.average.value if entry.average else None
        this = (entry.id, entry.seed) == (own_id, own_seed)
        lines.append(SeedLine(entry.id, entry.seed, value, this))
    return tuple(lines)


def _task_axis(report: Report, suite: Suite) -> Axis:
    ends = [0.0]
    for spec in suite.tasks:
        measured = _main(spec, report.tasks.get(spec.key))
        if measured is not None:
            ends += interval_ends(measured)
    return nice_axis([min(max(end, 0.0), 1.0) for end in ends], width=_TASK_AXIS_WIDTH)


def _main(spec: TaskSpec, result: TaskResult | None) -> Spread | None:
    metric = result.main if result is not None else None
    if metric is None or metric.value is None:
        return None
    return spread([Estimate(metric.value, metric.stderr)])


def _task(spec: TaskSpec, result: TaskResult | None, axis: Axis) -> TaskLine:
    measured = _main(spec, result)
    chance = spec.chance.get(spec.main_metric or "")
    return TaskLine(
        key=spec.key,
        name=spec.name,
        measures=spec.measures,
        groups=spec.groups,
        scored=spec.scored,
        metric=spec.main_metric or "–",
        value=measured.mean if measured else None,
        stderr=measured.stderr if measured else None,
        chance=chance,
        n=spec.n,
        whisker=whisker(measured, axis) if measured else None,
        chance_x=None if chance is None else axis.x(chance),
    )


def _provenance(report: Report, suite: Suite) -> tuple[ProvenanceStep, ...]:
    p = report.run
    share = percent(p.subset.n_unique / p.pool_size) if p.pool_size else "–"
    seen = (("samples seen", count(p.samples_seen)), ("seed", str(p.seed)))
    return (
        ProvenanceStep("Pool", p.pool_id, (("samples", count(p.pool_size)),)),
        ProvenanceStep(
            "Subset",
            p.subset.sha256,
            (
                ("name", p.subset.name),
                ("entries", count(p.subset.n)),
                ("unique", f"{count(p.subset.n_unique)} ({share} of the pool)"),
            ),
        ),
        ProvenanceStep("Recipe", p.recipe_id, (("scale", p.scale), *seen)),
        ProvenanceStep("Checkpoint", p.checkpoint_sha256, ()),
        ProvenanceStep(
            "Suite", report.suite.sha256, (("name", suite.title), ("tasks", str(len(suite.tasks))))
        ),
    )
