"""From one report and the board it stands on to the page of a submission; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from datacomp.reports import Report, Suite, TaskResult, TaskSpec
from datacomp_leaderboard.charts import Axis, interval_ends, nice_axis, whisker
from datacomp_leaderboard.entries import Z95, Entry, Estimate, Spread, group_seeds, spread
from datacomp_leaderboard.formatting import count, percent
from datacomp_leaderboard.pages import ProvenanceStep, SeedLine, SubmissionPage, TaskLine
from datacomp_leaderboard.ranking import RankedRow, Ranks
from datacomp_leaderboard.trust import Verified, build_trust

_TASK_AXIS_WIDTH = 220.0


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
    verified: Verified


def build_submission(
    details: Details, report: Report, suite: Suite, method: Sequence[Entry], ranks: Ranks
) -> SubmissionPage:
    """The page of one submission.

    `method` holds the entries of its team's method that the board counts, `ranks` those of the
    board; a row that is newer than the board has none yet.
    """
    own = _row_of(details, report, suite, method, ranks)
    average = report.aggregates.average
    axis = _task_axis(report, suite)
    return SubmissionPage(
        title=details.method,
        id=details.id,
        team=details.team,
        method=details.method,
        description=details.description,
        oracle=details.oracle,
        attempt=details.attempt,
        scale=report.run.scale,
        track=details.track,
        outdated=report.suite.sha256 != suite.sha256,
        seed=report.run.seed,
        rank=own.rank if own else None,
        n_ranked=sum(rank is not None for rank in ranks.values()),
        average=average.value,
        half_width=None if average.stderr is None else Z95 * average.stderr,
        chance=average.chance,
        row_average=own.row.average if own else None,
        seeds=_seeds(details.id, report.run.seed, own, method),
        groups=tuple(
            (name, found.value, found.stderr)
            for name in (*suite.groups, *sorted(set(report.aggregates.groups) - set(suite.groups)))
            if (found := report.aggregates.groups.get(name)) is not None
        ),
        tasks=tuple(_task(spec, report.tasks.get(spec.key), axis) for spec in suite.tasks),
        axis=axis,
        provenance=_provenance(report, suite),
        platform=tuple(sorted(report.run.platform.items())),
        trust=build_trust(
            details.verified, details.id, outdated=report.suite.sha256 != suite.sha256, row=own
        ),
        submitted_at=details.submitted_at,
        validator=details.validator,
        report_url=details.report_url,
        report_sha256=details.report_sha256,
        lock_url=details.lock_url,
    )


def _row_of(
    details: Details, report: Report, suite: Suite, method: Sequence[Entry], ranks: Ranks
) -> RankedRow | None:
    if report.suite.sha256 != suite.sha256:
        return None
    p = report.run
    key = (details.team, details.method, p.recipe_id, p.pool_id)
    for row in group_seeds(method):
        if (row.team, row.method, row.recipe_id, row.pool_id) == key:
            return RankedRow(row, ranks.get(row.id))
    return None


def _seeds(
    own_id: str, own_seed: int, own: RankedRow | None, method: Sequence[Entry]
) -> tuple[SeedLine, ...]:
    counted = own.row.submissions if own else ()
    seeds = own.row.seeds if own else ()
    by_seed = {(entry.id, entry.seed): entry for entry in method}
    lines = []
    for submission_id, seed in zip(counted, seeds, strict=True):
        entry = by_seed[submission_id, seed]
        value = entry.average.value if entry.average else None
        lines.append(SeedLine(entry.id, seed, value, (entry.id, seed) == (own_id, own_seed)))
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
