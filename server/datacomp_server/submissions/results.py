"""Storing reports with numbers: a team's own, and those that workers made."""

from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.reports import Report, Suite, load_suite, main_metric
from datacomp_server.kit.db import add_rows
from datacomp_server.kit.ids import new_id
from datacomp_server.submissions.models import Result
from datacomp_server.verification.vectors import vector_sha256


def add_result(
    session: Session,
    submission_id: str,
    report: Report,
    report_sha256: str,
    *,
    source: str,
    job_id: str | None = None,
    profile_sha256: str | None = None,
    moment: datetime,
) -> Result:
    """Keep what boards need of a report that passed every check; `source` as in `Result`.

    `profile_sha256` is of a worker's training.
    """
    average, run = report.aggregates.average, report.run
    suite = load_suite(report.suite.name)
    result = Result(
        id=new_id(),
        submission_id=submission_id,
        source=source,
        job_id=job_id,
        report_sha256=report_sha256,
        checkpoint_sha256=run.checkpoint_sha256,
        profile_sha256=profile_sha256,
        suite=report.suite.name,
        suite_sha256=report.suite.sha256,
        recipe_id=run.recipe_id,
        pool_id=run.pool_id,
        pool_size=run.pool_size,
        seed=run.seed,
        subset_sha256=run.subset.sha256,
        subset_n=run.subset.n,
        subset_unique=run.subset.n_unique,
        average=average.value,
        average_stderr=average.stderr,
        average_chance=average.chance,
        groups={name: group.model_dump() for name, group in report.aggregates.groups.items()},
        tasks=_tasks(report, suite),
        vector_sha256=vector_sha256(report, suite),
        created_at=moment,
    )
    add_rows(session, result)
    return result


def _tasks(report: Report, suite: Suite) -> dict[str, dict[str, float | None]]:
    found = {spec.key: main_metric(spec, report.tasks.get(spec.key)) for spec in suite.scored}
    return {
        "values": {task: metric.value if metric else None for task, metric in found.items()},
        "stderrs": {task: metric.stderr if metric else None for task, metric in found.items()},
    }
