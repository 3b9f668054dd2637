"""Rules of jobs: putting one in the line, taking it out again, finding it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.boards.models import Board
from datacomp_server.budgets import service as budgets
from datacomp_server.identity.callers import Caller, TeamCaller
from datacomp_server.jobs import repository
from datacomp_server.jobs.ending import Endings
from datacomp_server.jobs.models import LIVE, Job, JobNeed
from datacomp_server.jobs.policy import turn
from datacomp_server.kit.errors import Conflict, Forbidden, NotFound
from datacomp_server.submissions.models import Submission


def enqueue(
    session: Session,
    *,
    kind: str,
    submission: Submission | None,
    resource: str,
    pool_id: str | None,
    params: Mapping[str, Any],
    needs: Sequence[Job] = (),
    priority: int = 0,
    expected_seconds: int,
    by: str,
    moment: datetime,
    charge_to: Board | None,
) -> Job:
    """Put a job in the line, behind the jobs that it `needs`.

    With `charge_to`, the submission's team pays `expected_seconds` on that board, and the job
    takes part in its team's limits; `Refused` (budget_spent) if it has no more.
    """
    team_id = submission.team_id if submission and charge_to else None
    job = Job(
        kind=kind,
        submission_id=submission.id if submission else None,
        team_id=team_id,
        resource=resource,
        pool_id=pool_id,
        params=dict(params),
        priority=priority,
        turn=turn(moment, priority),
        expected_seconds=expected_seconds,
        created_at=moment,
        available_at=moment,
    )
    session.add(job)
    session.flush()
    session.add_all(JobNeed(job_id=job.id, needs_id=needed.id) for needed in needs)
    if charge_to is not None and team_id is not None:
        budgets.charge(
            session,
            team_id=team_id,
            board_id=charge_to.id,
            unit="compute_seconds",
            amount=expected_seconds,
            job_id=job.id,
            submission_id=job.submission_id,
            by=by,
            moment=moment,
        )
    session.flush()
    return job


def get(session: Session, job_id: str) -> Job:
    """The job of that public id; `NotFound` if there is none."""
    found = repository.by_id(session, job_id)
    if found is None:
        raise NotFound("there is no such job")
    return found


def get_private(session: Session, caller: Caller, job_id: str) -> Job:
    """The job of that id, if the caller may act for it; else `NotFound`, as if there were none."""
    job = get(session, job_id)
    if not may_see_private(session, caller, job):
        raise NotFound("there is no such job")
    return job


def may_see_private(session: Session, caller: Caller | None, job: Job) -> bool:
    """Whether a caller may see what is private to a job's team; organisers see everything."""
    return caller is not None and caller.may_see(_team_of(session, job))


def may_read_private(session: Session, caller: Caller | None, job: Job) -> bool:
    """The same, for a caller whose token was not asked for a scope."""
    return caller is not None and caller.may_read(_team_of(session, job))


def cancel_for(session: Session, caller: Caller, job_id: str, *, moment: datetime) -> Job:
    """`cancel` what a caller may: a team what it paid for, an organiser everything.

    So no team can end the check of its own files, or the audit of its own numbers. `NotFound` as
    in `get_private`, else `Forbidden`.
    """
    job = get_private(session, caller, job_id)
    if isinstance(caller, TeamCaller) and job.team_id is None:
        raise Forbidden(
            f"its team did not pay for {job.kind} job {job.id}: only an organiser cancels it. "
            "Withdrawing the submission ends all of its jobs."
        )
    return cancel(session, job, caller.actor, moment)


def cancel(session: Session, job: Job, by: str, moment: datetime) -> Job:
    """Take a job out of the line; one that runs is told at its worker's next beat.

    What waits for it is cancelled with it. What had not begun is refunded. Cancelling twice
    changes nothing; `Conflict` (job_ended) if it succeeded or failed.
    """
    if job.status in ("succeeded", "failed"):
        raise Conflict(f"job {job.id} has ended already: {job.status}", code="job_ended")
    _cancel(session, [job], f"cancelled by {by}", by, moment)
    return job


def cancel_all(
    session: Session, submission_id: str, detail: str, *, by: str, moment: datetime
) -> None:
    """Do so with every job of a submission that has not ended; `detail` tells people why."""
    _cancel(session, repository.unfinished(session, submission_id), detail, by, moment)


def _cancel(session: Session, jobs: Iterable[Job], detail: str, by: str, moment: datetime) -> None:
    endings = Endings(session, moment)
    for job in jobs:
        if job.cancel_requested_at is not None:
            continue
        if job.status in LIVE:
            endings.ask_to_stop(job, detail, actor=by)
        elif job.status == "queued":  # else it has just gone with one that it needs
            endings.cancel(job, detail, actor=by, refund=True)
    endings.record()


def _team_of(session: Session, job: Job) -> str:
    """The id of the team whose submission a job works on; empty for the service's own jobs."""
    submission = session.get(Submission, job.submission_id) if job.submission_id else None
    return submission.team_id if submission else ""
