"""Why a job waits, or how it fares, in one sentence and one stable code. Pure.

| code | |
|---|---|
| waits_for_job | another job has to succeed first |
| retry_later | an attempt failed; the next one is not due yet |
| scheduled | it was planned for later |
| no_worker_class | no worker that takes its class has been seen lately |
| no_worker_byod | none of the scale's may fetch what a team's own addresses lead to |
| no_worker_pool | none of those has its pool |
| team_limit | its team has as many jobs running as it may |
| elsewhere | an attempt failed at the only worker there is; for a while another may take it first |
| fair_share | its team used workers in the last day: jobs that came later go first |
| in_line | its turn comes |
| claimed, running, silent, cancelling | a worker has it |
"""

from dataclasses import dataclass
from datetime import timedelta

from datacomp_server.jobs.line import Line, Machine, Running, Waiting, told
from datacomp_server.jobs.models import BYOD, SERVICE

_SILENT_BEATS = 2.5


@dataclass(frozen=True)
class Reason:
    """A stable code and a sentence."""

    code: str
    text: str


def why_waiting(job: Waiting, line: Line) -> Reason:
    """The first thing that keeps a job from being claimed now."""
    return (
        _needs(job, line)
        or _retry(job, line)
        or _no_worker(job, line)
        or _team(job, line)
        or _elsewhere(job, line)
        or _share(job, line)
        or _place(job, line)
    )


def how_running(job: Running, line: Line) -> Reason:
    """What a worker that has the job last said."""
    silence = line.moment - job.last_beat_at
    last = f"last heard of {told(silence)} ago"
    if job.cancelling:
        return Reason("cancelling", f"{job.worker} is told to stop at its next beat, {last}")
    if silence > timedelta(seconds=_SILENT_BEATS * line.beat_seconds):
        if job.lease_until <= line.moment:
            return Reason("silent", f"{job.worker} was {last}; the job is to be tried again")
        left = told(job.lease_until - line.moment)
        return Reason("silent", f"{job.worker} was {last}; tried again if silent for {left} more")
    if not job.begun:
        return Reason("claimed", f"{job.worker} took it {told(silence)} ago")
    span = told(line.moment - job.started_at)
    return Reason("running", f"running for {span} at {job.worker}, {last}")


def _needs(job: Waiting, line: Line) -> Reason | None:
    if not job.unmet:
        return None
    kind, state = line.states[job.unmet[0]]
    return Reason("waits_for_job", f"waits for {kind} job {job.unmet[0]}, which is {state}")


def _retry(job: Waiting, line: Line) -> Reason | None:
    if job.available_at <= line.moment:
        return None
    if not job.attempt:
        return Reason("scheduled", f"planned for {told(job.available_at - line.moment)} from now")
    return Reason(
        "retry_later",
        f"attempt {job.attempt} failed; attempt {job.attempt + 1} of {job.max_attempts} in "
        f"{told(job.available_at - line.moment)}",
    )


def _no_worker(job: Waiting, line: Line) -> Reason | None:
    if job.resource == SERVICE:
        return None
    of_class = [one for one in line.machines if job.resource in one.classes]
    here = [one for one in of_class if line.is_here(one)]
    if not here and job.resource.endswith(BYOD):
        text = f"no worker that fetches teams' own data at {job.resource.removesuffix(BYOD)!r}"
        return Reason("no_worker_byod", f"{text} has been seen{_since(of_class, line)}")
    if not here:
        text = f"no worker that takes {job.resource!r} has been seen{_since(of_class, line)}"
        return Reason("no_worker_class", text)
    if any(line.takes(one, job) for one in here):
        return None
    with_pool = [one for one in of_class if line.takes(one, job)]
    text = f"no worker that takes {job.resource!r} and has pool {job.pool_id} has been seen"
    return Reason("no_worker_pool", text + _since(with_pool, line))


def _since(machines: list[Machine], line: Line) -> str:
    if not machines:
        return " yet"
    return f" for {told(line.moment - max(one.seen_at for one in machines))}"


def _team(job: Waiting, line: Line) -> Reason | None:
    if job.team_id is None or job.resource == SERVICE:
        return None
    running = sum(one.team_id == job.team_id and one.resource != SERVICE for one in line.running)
    if running < line.team_limit:
        return None
    jobs = "job" if running == 1 else "jobs"
    return Reason("team_limit", f"its team has {running} {jobs} running, the limit")


def _elsewhere(job: Waiting, line: Line) -> Reason | None:
    until = job.available_at + timedelta(seconds=line.retry_seconds)
    here = {one.name for one in line.machines if line.takes(one, job) and line.is_here(one)}
    if not job.tried or until < line.moment or not here or here - job.tried:
        return None
    text = f"attempt {job.attempt} failed at {', '.join(sorted(here))}; another worker may take it"
    return Reason("elsewhere", f"{text} first, for {told(until - line.moment)} more")


def _share(job: Waiting, line: Line) -> Reason | None:
    n_before = line.overtaken_by(job) if job.behind else 0
    if not n_before:
        return None
    used = f"its team used {told(timedelta(seconds=job.behind))} of workers in the last day"
    first = "1 job that came later goes" if n_before == 1 else f"{n_before} that came later go"
    return Reason("fair_share", f"{_place(job, line).text}: {used}, so {first} first")


def _place(job: Waiting, line: Line) -> Reason:
    place, of = line.places[job.id]
    return Reason("in_line", f"place {place} of {of} for {job.resource!r}")
