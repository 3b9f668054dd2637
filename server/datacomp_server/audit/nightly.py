"""The nightly work as a job of the service's own, which puts the next one in the line: the day's
export, then the removal of what nothing names.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from datacomp_server.artifacts.collecting import collect
from datacomp_server.audit.export import day_folder, export
from datacomp_server.context import Context
from datacomp_server.jobs.handlers import Apply, Work
from datacomp_server.jobs.models import LIVE, SERVICE, Job
from datacomp_server.jobs.service import enqueue

_EXPECTED_SECONDS = 60


def export_day(context: Context, work: Work) -> Apply:
    """The handler: writes the export of today, unless it is there, tidies up, queues tomorrow's."""
    moment = context.clock()
    target = day_folder(context.settings.exports_dir, moment)
    if not target.exists():
        export(context, target)
    collect(context, moment=moment, execute=True, strays=False)
    return lambda session, moment: queue_next(session, moment, besides=work.job_id)


def queue_next(session: Session, moment: datetime, *, besides: str | None = None) -> None:
    """Make sure that an export waits for the next midnight (UTC); `besides` is one that ends."""
    waiting = select(Job.id).where(
        Job.kind == "export", Job.status.in_(("queued", *LIVE)), Job.id != (besides or "")
    )
    if session.scalars(waiting.limit(1)).first() is not None:
        return
    job = enqueue(
        session,
        kind="export",
        submission=None,
        resource=SERVICE,
        pool_id=None,
        params={},
        expected_seconds=_EXPECTED_SECONDS,
        by="service",
        moment=moment,
        charge_to=None,
    )
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    job.available_at = day + timedelta(days=1)
    session.flush()
