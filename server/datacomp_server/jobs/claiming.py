"""The claim: which job a worker gets next, as one statement for every database.

Writing sessions take turns (see `kit.db`), so that limits and shares are exact. Taken out of the
line are jobs that wait for another, for their next attempt, or for their team's running ones to
end. `line_order` is the order in which the queue page shows them, too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from datacomp_server.jobs.models import LIVE, SERVICE, Job, JobAttempt, JobNeed

# made once: an alias takes longer to make than the claim itself
_candidate, _needed, _other = (aliased(Job, name=name) for name in ("candidate", "needed", "other"))


@dataclass(frozen=True)
class Asker:
    """Who asks for a job, and which ones it can take."""

    worker: str
    classes: Collection[str]
    pools: Collection[str]


def claim(
    asker: Asker,
    *,
    lease_id: str,
    lease_until: datetime,
    moment: datetime,
    elsewhere_until: datetime,
    team_limit: int,
    penalties: Mapping[str, int],
) -> Update:
    """Give the first job in line that `asker` can take to it; returns the job's id, if any.

    Of a job that this worker has failed, another gets it first: it is passed over while it became
    available after `elsewhere_until`.
    """
    first = (
        select(_candidate.id)
        .where(
            _candidate.status == "queued",
            _candidate.available_at <= moment,
            _candidate.resource.in_(asker.classes),
            or_(_candidate.pool_id.is_(None), _candidate.pool_id.in_(asker.pools)),
            _needs_are_met(),
            _team_has_room(team_limit),
            or_(_candidate.available_at <= elsewhere_until, ~_failed_here(asker.worker)),
        )
        .order_by(*line_order(_candidate, penalties))
        .limit(1)
    )
    return (
        update(Job)
        .where(Job.id == first.scalar_subquery())
        .values(
            status="leased",
            lease_id=lease_id,
            lease_until=lease_until,
            worker=asker.worker,
            attempt=Job.attempt + 1,
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )


def line_order(job: Any, penalties: Mapping[str, int]) -> tuple[ColumnElement[Any], ...]:
    """The order of the line: each job's turn, further back by its team's penalty, then its id."""
    if not penalties:
        return job.turn, job.id
    behind = case(dict(penalties), value=job.team_id, else_=0)
    return job.turn + behind, job.id


def _needs_are_met() -> ColumnElement[bool]:
    unmet: Select[Any] = (
        select(JobNeed.needs_id)
        .join(_needed, _needed.id == JobNeed.needs_id)
        .where(JobNeed.job_id == _candidate.id, _needed.status != "succeeded")
    )
    return ~unmet.exists()


def _team_has_room(limit: int) -> ColumnElement[bool]:
    running = select(func.count()).where(
        _other.team_id == _candidate.team_id, _other.status.in_(LIVE), _other.resource != SERVICE
    )
    return or_(
        _candidate.team_id.is_(None),
        _candidate.resource == SERVICE,
        running.scalar_subquery() < limit,
    )


def _failed_here(worker: str) -> ColumnElement[bool]:
    return exists().where(and_(JobAttempt.job_id == _candidate.id, JobAttempt.worker == worker))
