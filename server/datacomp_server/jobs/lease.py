"""Leases: a worker claims a job, beats while it works, and finishes.

`lease_id` is the fencing token: whatever is written under a lease that the job no longer has is
refused as `lease_lost`. A lease that ran out is lost when somebody next asks for work; a worker
that beats before that keeps its job. No function commits; the caller's transaction is the unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from datacomp_server.context import Context
from datacomp_server.jobs import claiming, clocks, outcomes, repository
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.ending import Endings
from datacomp_server.jobs.inputs import resolved_inputs
from datacomp_server.jobs.models import Job, JobAttempt
from datacomp_server.jobs.outcomes import Output, UserFault
from datacomp_server.jobs.policy import SHARE_WINDOW, Policy, penalties
from datacomp_server.kit.errors import Conflict, NotFound
from datacomp_server.kit.ids import new_id


@dataclass(frozen=True)
class Lease:
    """A job in a worker's hands; `inputs` are the sha256 of its files by role."""

    id: str
    job: Job
    until: datetime
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Beat:
    """The answer to a sign of life: whether to stop, and until when the lease lasts."""

    cancel: bool
    until: datetime


@dataclass(frozen=True)
class Finish:
    """What a worker says at the end. `fault` is None if it succeeded, or gives the job back."""

    fault: Literal["user", "infrastructure"] | None
    detail: str | None = None
    outputs: Sequence[Output] = ()
    released: bool = False


def claim(session: Session, policy: Policy, asker: Asker, *, moment: datetime) -> Lease | None:
    """The next job that `asker` can take, now in its hands; None if there is none."""
    expire(session, policy, moment=moment)
    lease_id, until = new_id(), policy.lease_until(moment)
    used = repository.used_seconds(session, moment - SHARE_WINDOW, moment)
    statement = claiming.claim(
        asker,
        lease_id=lease_id,
        lease_until=until,
        moment=moment,
        elsewhere_until=policy.elsewhere_until(moment),
        team_limit=policy.team_running_jobs,
        penalties=penalties(used),
    )
    job_id = session.execute(statement).scalar_one_or_none()
    if job_id is None:
        return None
    job = session.get_one(Job, job_id, populate_existing=True)
    session.add(
        JobAttempt(
            lease_id=lease_id,
            job_id=job.id,
            attempt=job.attempt,
            worker=asker.worker,
            started_at=moment,
            last_beat_at=moment,
        )
    )
    session.flush()
    return Lease(lease_id, job, until, resolved_inputs(session, job))


def expire(session: Session, policy: Policy, *, moment: datetime) -> None:
    """Take back every lease that has run out."""
    clocks.set_right(session, policy, moment=moment)
    endings = Endings(session, moment)
    for job in repository.expired(session, moment):
        assert job.lease_id is not None
        attempt = repository.attempt(session, job.lease_id)
        assert attempt is not None
        last = f"{attempt.last_beat_at:%Y-%m-%d %H:%M:%S} UTC"
        detail = f"worker {attempt.worker} was last heard of at {last}"
        endings.interrupt(job, attempt, detail, policy, ending="expired")
    endings.record()


def beat(
    session: Session,
    policy: Policy,
    lease_id: str,
    progress: dict[str, Any] | None,
    *,
    moment: datetime,
) -> Beat:
    """A sign of life; `Conflict` (lease_lost) if the job is not in these hands any more."""
    job, attempt = held(session, lease_id)
    job.status, job.lease_until = "running", policy.lease_until(moment)
    job.progress = progress or job.progress
    attempt.last_beat_at = moment
    return Beat(cancel=job.cancel_requested_at is not None, until=job.lease_until)


def finish(
    session: Session,
    context: Context,
    lease_id: str,
    said: Finish,
    *,
    moment: datetime,
    hooks: Mapping[str, outcomes.Hook] | None = None,
) -> Job:
    """The end of a lease, once: told again, it changes nothing.

    `Conflict` (lease_lost) if the lease ran out and was taken back. `Refused` (output_missing) if
    an output was not uploaded under this lease, or one is missing that another job waits for.
    `hooks` default to `outcomes.hooks()`.
    """
    job, attempt = _of(session, lease_id)
    if attempt.ending == "expired":
        raise _lost(session, job, attempt)
    if attempt.ending is not None:
        return job
    endings = Endings(session, moment)
    if job.cancel_requested_at is not None:
        endings.stop(job, attempt)
    elif said.released:
        endings.release(job, attempt, said.detail or "given back")
    elif said.fault == "infrastructure":
        detail = said.detail or "no reason was given"
        endings.interrupt(job, attempt, detail, Policy.of(context.settings), ending="failed")
    elif said.fault == "user":
        endings.fail(job, attempt, said.detail or "no reason was given")
    else:
        try:
            with session.begin_nested():
                outcomes.keep(session, job, lease_id, said.outputs, moment=moment)
                outcomes.run(session, context, job, said.outputs, hooks, moment=moment)
        except UserFault as error:
            endings.fail(job, attempt, str(error))
        else:
            endings.succeed(job, attempt)
    endings.record()
    return job


def input_of(session: Session, lease_id: str, role: str) -> str:
    """The sha256 of an input of the lease's job; `NotFound` if it has none of that role.

    `Conflict` (lease_lost) if the job is in other hands.
    """
    job, _ = held(session, lease_id)
    inputs = resolved_inputs(session, job)
    if role not in inputs:
        known = ", ".join(sorted(inputs)) or "none"
        raise NotFound(f"job {job.id} has no input {role!r}; it has: {known}")
    return inputs[role]


def held(session: Session, lease_id: str) -> tuple[Job, JobAttempt]:
    """Job and attempt of a lease that holds; else `Conflict` (lease_lost) says why not."""
    job, attempt = _of(session, lease_id)
    if job.lease_id != lease_id:
        raise _lost(session, job, attempt)
    return job, attempt


def _of(session: Session, lease_id: str) -> tuple[Job, JobAttempt]:
    attempt = repository.attempt(session, lease_id)
    if attempt is None:
        raise NotFound("there is no such lease")
    return session.get_one(Job, attempt.job_id), attempt


def _lost(session: Session, job: Job, attempt: JobAttempt) -> Conflict:
    said = (
        f"worker {attempt.worker} no longer holds job {job.id}: last heard of at "
        f"{attempt.last_beat_at:%H:%M:%S} UTC"
    )
    newest = max(repository.attempts(session, [job.id]), key=lambda one: one.attempt)
    if newest.lease_id != attempt.lease_id:
        said += f", taken over by {newest.worker} at {newest.started_at:%H:%M:%S}"
    return Conflict(
        f"{said}. Nothing of this was stored; attempt {job.attempt} of {job.max_attempts} is "
        f"{job.status}. Nothing to do unless it repeats.",
        code="lease_lost",
    )
