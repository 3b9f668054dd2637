"""What a plugin selected is looked at like a subset that was handed in: is it one, is it new?"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from datacomp.errors import SubsetError
from datacomp.submission.subset_file import check_subset
from datacomp_server.context import Context
from datacomp_server.jobs import service as jobs
from datacomp_server.jobs.handlers import Apply, Work
from datacomp_server.jobs.inputs import of_job
from datacomp_server.jobs.models import SERVICE, Job
from datacomp_server.jobs.outcomes import Output
from datacomp_server.submissions import overlaps, service
from datacomp_server.submissions.models import SubsetSketch
from datacomp_server.submissions.sketches import sketch_of

SELECTED_BY = "selected_by"
_CHECK_SECONDS = 60


def look_at(
    session: Session, context: Context, job: Job, outputs: Sequence[Output], moment: datetime
) -> None:
    """After a job of kind `filter`: have its subset looked at; training need not wait for that."""
    assert job.submission_id is not None, "a filter job runs a submission's plugin"
    jobs.enqueue(
        session,
        kind="check",
        submission=service.get(session, job.submission_id),
        resource=SERVICE,
        pool_id=None,
        params={SELECTED_BY: job.id, "inputs": {"subset": of_job(job, "subset")}},
        expected_seconds=_CHECK_SECONDS,
        by="service",
        moment=moment,
        charge_to=None,
    )


def check_selected(context: Context, work: Work) -> Apply:
    """Compare a plugin's subset with earlier ones; `SubsetError` if the worker sent none."""
    assert work.submission_id is not None, "a check is of a submission"
    with context.artifacts.local(work.inputs["subset"]) as path:
        checked = check_subset(path)
        for finding in checked.findings:
            raise SubsetError(f"a worker sent as subset what is none: {finding}")
        sketch = sketch_of(path, work.submission_id, checked.facts["sha256"])
    with context.database.reading() as session:
        submission = service.get(session, work.submission_id)
        shared = overlaps.find(session, context.artifacts, submission, sketch)

    def apply(session: Session, moment: datetime) -> None:
        if session.get(SubsetSketch, submission.id) is None:
            session.add(sketch)
            found = service.get(session, submission.id)
            overlaps.write(session, found, sketch.subset_sha256, shared)

    return apply
