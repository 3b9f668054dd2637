"""Numbers for Prometheus. Labels come from fixed sets: routes, methods, statuses, classes.

No address, name, id or token is a label, so that the number of series stays bounded and nothing
leaks. What stands in the database is counted when the metrics are asked for.
"""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from datacomp_server.artifacts.models import Artifact, Upload
from datacomp_server.context import Context
from datacomp_server.jobs.models import Job, Worker
from datacomp_server.submissions.models import Submission

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Resource classes are words that workers send; more than this many are counted together.
_MAX_CLASSES = 50


class Metrics:
    """The metrics of one service."""

    def __init__(self, context: Context) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "datacomp_requests",
            "Answered requests.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "datacomp_request_seconds",
            "From a request's head to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.in_flight = Gauge(
            "datacomp_requests_in_flight", "Requests being answered.", registry=self._registry
        )
        self._registry.register(_Stored(context))

    def saw(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer; `route` is its pattern, such as /s/{submission_id}."""
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class _Stored(Collector):
    """What the database holds, as one moment shows it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering must not read the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Counts of jobs, workers, uploads, submissions and artifacts."""
        with self._context.database.reading() as session:
            yield _jobs(session)
            silent = self._context.clock() - 2 * timedelta(
                seconds=self._context.settings.lease_seconds
            )
            live = session.scalar(
                select(func.count()).select_from(Worker).where(Worker.last_seen_at >= silent)
            )
            yield _single("workers", "Workers heard of within two leases.", live)
            open_ones = select(func.count(), func.sum(Upload.size - Upload.received)).where(
                Upload.completed_at.is_(None)
            )
            n_open, missing = session.execute(open_ones).one()
            yield _single("uploads_open", "Uploads that are not whole yet.", n_open)
            yield _single("uploads_missing_bytes", "Bytes that they still lack.", missing)
            for name, table in (("submissions", Submission), ("artifacts", Artifact)):
                n = session.scalar(select(func.count()).select_from(table))
                yield _single(name, f"{name.capitalize()} in the database.", n)


def _jobs(session: Session) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "datacomp_jobs", "Jobs by resource class and status.", labels=("resource", "status")
    )
    counted = select(Job.resource, Job.status, func.count()).group_by(Job.resource, Job.status)
    rows = session.execute(counted.order_by(Job.resource, Job.status)).all()
    classes = sorted({resource for resource, _, _ in rows})[:_MAX_CLASSES]
    totals: dict[tuple[str, str], int] = {}
    for resource, status, n in rows:
        key = (resource if resource in classes else "other", status)
        totals[key] = totals.get(key, 0) + n
    for (resource, status), n in totals.items():
        family.add_metric((resource, status), n)
    return family


def _single(name: str, help_text: str, value: int | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"datacomp_{name}", help_text, value=value or 0)
