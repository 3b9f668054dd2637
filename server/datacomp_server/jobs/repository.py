"""Statements about jobs, their attempts and workers; decides nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from datacomp_server.artifacts.models import Artifact
from datacomp_server.identity.models import Team
from datacomp_server.jobs.claiming import line_order
from datacomp_server.jobs.models import (
    HOPELESS,
    LIVE,
    SERVICE,
    Job,
    JobAttempt,
    JobNeed,
    JobOutput,
    Worker,
)
from datacomp_server.submissions.models import Submission


def by_id(session: Session, job_id: str) -> Job | None:
    """The job of that id."""
    return session.get(Job, job_id)


def expired(session: Session, moment: datetime) -> Sequence[Job]:
    """Jobs whose lease has run out."""
    statement = select(Job).where(Job.status.in_(LIVE), Job.lease_until <= moment)
    return session.scalars(statement.order_by(Job.id)).all()


def is_anything_due(
    session: Session, moment: datetime, *, lease_until: datetime, retry_until: datetime
) -> bool:
    """Whether one of the service's own jobs may wait, a lease has run out, or `ahead` has any."""
    due = or_(
        and_(Job.status == "queued", Job.resource == SERVICE, Job.available_at <= moment),
        and_(Job.status.in_(LIVE), Job.lease_until <= moment),
        _is_ahead(moment, lease_until, retry_until),
    )
    return bool(session.scalar(select(exists().where(due))))


def ahead(
    session: Session, moment: datetime, *, lease_until: datetime, retry_until: datetime
) -> Sequence[Job]:
    """Jobs with a time that no clock could have set by `moment`: it has been set back since.

    Later than these are no lease and no further try of that moment.
    """
    return session.scalars(select(Job).where(_is_ahead(moment, lease_until, retry_until))).all()


def _is_ahead(
    moment: datetime, lease_until: datetime, retry_until: datetime
) -> ColumnElement[bool]:
    waits = or_(Job.created_at > moment, and_(Job.attempt > 0, Job.available_at > retry_until))
    return or_(
        and_(Job.status == "queued", waits),
        and_(Job.status.in_(LIVE), Job.lease_until > lease_until),
    )


def prolong(session: Session, until: datetime) -> None:
    """Let every lease last until then at least."""
    statement = update(Job).where(Job.status.in_(LIVE), Job.lease_until < until)
    session.execute(statement.values(lease_until=until))


def attempt(session: Session, lease_id: str) -> JobAttempt | None:
    """The attempt of that lease."""
    return session.get(JobAttempt, lease_id)


def attempts(session: Session, job_ids: Iterable[str]) -> Sequence[JobAttempt]:
    """Every attempt of these jobs, oldest first."""
    statement = select(JobAttempt).where(JobAttempt.job_id.in_(job_ids))
    return session.scalars(statement.order_by(JobAttempt.started_at, JobAttempt.attempt)).all()


def waiting_dependants(session: Session, job_id: str) -> Sequence[Job]:
    """Queued jobs that need this one."""
    statement = (
        select(Job)
        .join(JobNeed, JobNeed.job_id == Job.id)
        .where(JobNeed.needs_id == job_id, Job.status == "queued")
        .order_by(Job.id)
    )
    return session.scalars(statement).all()


def needs(session: Session, job_ids: Iterable[str]) -> Sequence[JobNeed]:
    """What these jobs need."""
    statement = select(JobNeed).where(JobNeed.job_id.in_(job_ids))
    return session.scalars(statement.order_by(JobNeed.job_id, JobNeed.needs_id)).all()


def outputs(session: Session, job_ids: Iterable[str]) -> Sequence[JobOutput]:
    """What these jobs left."""
    statement = select(JobOutput).where(JobOutput.job_id.in_(job_ids))
    return session.scalars(statement.order_by(JobOutput.job_id, JobOutput.role)).all()


def used_seconds(session: Session, since: datetime, moment: datetime) -> Mapping[str, int]:
    """Worker seconds of each team: attempts that ended after `since`, and those that run."""
    ended = (
        select(Job.team_id, func.sum(JobAttempt.seconds))
        .join(JobAttempt, JobAttempt.job_id == Job.id)
        .where(JobAttempt.ended_at > since, Job.team_id.is_not(None), Job.resource != SERVICE)
        .group_by(Job.team_id)
    )
    running = (
        select(Job.team_id, JobAttempt.started_at)
        .join(JobAttempt, JobAttempt.lease_id == Job.lease_id)
        .where(Job.team_id.is_not(None), Job.resource != SERVICE)
    )
    used = {team: int(seconds or 0) for team, seconds in session.execute(ended) if team is not None}
    for team, started_at in session.execute(running):
        assert team is not None
        seconds = int((moment - max(started_at, since)).total_seconds())
        used[team] = used.get(team, 0) + max(0, seconds)
    return used


def sizes(session: Session, hashes: Iterable[str]) -> Mapping[str, int]:
    """Bytes of those of these artifacts that are here, whole."""
    statement = select(Artifact.sha256, Artifact.size).where(Artifact.sha256.in_(hashes))
    return {sha256: size for sha256, size in session.execute(statement)}


def hopeful(session: Session, submission_id: str) -> Sequence[Job]:
    """A submission's jobs that have succeeded or still may, newest first."""
    statement = select(Job).where(Job.submission_id == submission_id)
    hope = Job.status.not_in(HOPELESS)
    return session.scalars(statement.where(hope).order_by(Job.created_at.desc(), Job.id)).all()


def of_submissions(session: Session, ids: Iterable[str]) -> Mapping[str, list[Job]]:
    """Every job of each of these submissions, oldest first."""
    statement = select(Job).where(Job.submission_id.in_(list(ids)))
    found: dict[str, list[Job]] = defaultdict(list)
    for job in session.scalars(statement.order_by(Job.created_at, Job.id)):
        found[job.submission_id or ""].append(job)
    return found


def unfinished(session: Session, submission_id: str) -> Sequence[Job]:
    """A submission's jobs that have not ended, in the order in which they were planned."""
    statement = select(Job).filter_by(submission_id=submission_id, finished_at=None)
    return session.scalars(statement.order_by(Job.created_at, Job.id)).all()


def waiting(session: Session, penalties: Mapping[str, int]) -> Sequence[Job]:
    """Queued jobs, in the order of the line."""
    statement = select(Job).where(Job.status == "queued").order_by(*line_order(Job, penalties))
    return session.scalars(statement).all()


def running(session: Session) -> Sequence[tuple[Job, JobAttempt]]:
    """Jobs in workers' hands, longest running first."""
    statement = (
        select(Job, JobAttempt)
        .join(JobAttempt, JobAttempt.lease_id == Job.lease_id)
        .order_by(JobAttempt.started_at, Job.id)
    )
    return [(job, attempt) for job, attempt in session.execute(statement)]


def unmet_needs(session: Session) -> Sequence[JobNeed]:
    """What queued jobs need that has not succeeded, by id."""
    job, needed = aliased(Job), aliased(Job)
    statement = (
        select(JobNeed)
        .join(job, job.id == JobNeed.job_id)
        .join(needed, needed.id == JobNeed.needs_id)
        .where(job.status == "queued", needed.status != "succeeded")
        .order_by(JobNeed.job_id, JobNeed.needs_id)
    )
    return session.scalars(statement).all()


def past_durations(session: Session, resource: str, kind: str, limit: int) -> tuple[int, ...]:
    """Seconds of the newest successes of a class and kind."""
    statement = (
        select(JobAttempt.seconds)
        .join(Job, Job.id == JobAttempt.job_id)
        .where(JobAttempt.ending == "succeeded", Job.resource == resource, Job.kind == kind)
        .order_by(JobAttempt.ended_at.desc())
        .limit(limit)
    )
    return tuple(seconds for seconds in session.scalars(statement) if seconds is not None)


def workers(session: Session) -> Sequence[Worker]:
    """Every worker that ever asked for a job, by name."""
    return session.scalars(select(Worker).order_by(Worker.name)).all()


def submissions(session: Session, ids: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Team and method of these submissions."""
    statement = select(Submission.id, Team.name, Submission.method).join(Submission.team)
    found = session.execute(statement.where(Submission.id.in_(ids)))
    return {submission_id: (team, method) for submission_id, team, method in found}


def worker_by_name(session: Session, name: str) -> Worker | None:
    """The worker of that name."""
    return session.scalars(select(Worker).filter_by(name=name)).one_or_none()


def n_workers_of(session: Session, token_id: str) -> int:
    """How many workers' last token this is."""
    return session.scalar(select(func.count()).where(Worker.token_id == token_id)) or 0
