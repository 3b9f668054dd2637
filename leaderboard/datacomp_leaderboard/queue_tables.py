"""The data twins of the queue: every line, worker and team of its page, and every job. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from datacomp_leaderboard.queue_pages import JobPage, QueuePage
from datacomp_leaderboard.twins import Column, Table

_JOBS = (
    Column("id", "Job", "text"),
    Column("kind", "Kind", "text"),
    Column("resource", "Class", "text"),
    Column("status", "Status", "text"),
    Column("team", "Team", "text"),
    Column("method", "Method", "text"),
    Column("submission_id", "Submission", "text"),
    Column("place", "Place in its line", "int"),
    Column("attempt", "Attempt", "int"),
    Column("max_attempts", "Attempts at most", "int"),
    Column("worker", "Worker", "text"),
    Column("created_at", "Planned", "date"),
    Column("started_at", "Began", "date"),
    Column("last_beat_at", "Last heard of", "date"),
)
_MORE = (
    Column("reason", "Why", "text"),
    Column("reason_words", "Why, in words", "text"),
    Column("starts_earliest", "Starts, earliest", "date"),
    Column("starts_latest", "Starts, latest", "date"),
    Column("ends_earliest", "Ends, earliest", "date"),
    Column("ends_latest", "Ends, latest", "date"),
)


def queue_tables(page: QueuePage, jobs: Iterable[Any]) -> tuple[Table, ...]:
    """Jobs (all that run and wait, as the API's objects have them), lines, workers, teams."""
    return (
        Table("jobs", "Jobs that run or wait", (*_JOBS, *_MORE), tuple(map(_job, jobs))),
        Table(
            "lines",
            "Jobs and workers of each class",
            (
                Column("class", "Class", "text"),
                *(
                    Column(key, key.replace("_", " ").capitalize(), "int")
                    for key in ("waiting", "running", "at_work", "idle", "silent", "away")
                ),
            ),
            tuple(
                (
                    *(one.resource, one.n_waiting, one.n_running),
                    *(one.at_work, one.idle, one.silent, one.away),
                )
                for one in page.classes
            ),
        ),
        Table(
            "workers",
            "Workers",
            (
                Column("worker", "Worker", "text"),
                Column("state", "Now", "text"),
                Column("classes", "Takes", "text"),
                Column("job", "At work on", "text"),
            ),
            tuple((w.name, w.state, " ".join(w.classes), w.job_id) for w in page.workers),
        ),
        Table(
            "teams",
            "Workers' time by team",
            (
                Column("team", "Team", "text"),
                Column("scale", "Scale", "text"),
                Column("track", "Track", "text"),
                Column("charged", "Charged", "int", "s"),
                Column("granted", "Granted", "int", "s"),
            ),
            tuple((t.team, t.scale, t.track, t.charged, t.granted) for t in page.teams),
        ),
    )


def job_tables(page: JobPage) -> tuple[Table, ...]:
    """A job's attempts, and what it left."""
    return (
        Table(
            "attempts",
            "Attempts",
            (
                Column("attempt", "Attempt", "int"),
                Column("worker", "Worker", "text"),
                Column("started_at", "Began", "date"),
                Column("ended_at", "Ended", "date"),
                Column("ending", "How", "text"),
                Column("fault", "Fault of", "text"),
            ),
            tuple(
                (one.attempt, one.worker, one.started_at, one.ended_at, one.ending, one.fault)
                for one in page.attempts
            ),
        ),
        Table(
            "outputs",
            "What it left",
            (Column("role", "Role", "text"), Column("sha256", "SHA-256", "text")),
            page.outputs,
        ),
    )


def _job(job: Any) -> tuple[Any, ...]:
    spans: Mapping[str, Any] = {"starts": job.starts, "ends": job.ends}
    return (
        *(getattr(job, column.key) for column in _JOBS),
        job.reason.code,
        job.reason.text,
        *(
            getattr(span, end) if span is not None else None
            for span in spans.values()
            for end in ("earliest", "latest")
        ),
    )
