"""How a job leaves a worker's hands: succeeded, failed, to be tried again, or cancelled.

Everything that follows happens in the same transaction: the attempt's row is closed, dependants of
a job that will never succeed are cancelled, and what nobody can be blamed for is refunded. What is
told to the audit log is collected and told last (`Endings.record`), because telling takes a lock.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.budgets import service as budgets
from datacomp_server.jobs import repository
from datacomp_server.jobs.lapses import lapses
from datacomp_server.jobs.models import Job, JobAttempt
from datacomp_server.jobs.policy import Policy

QUEUE = "service:queue"  # the actor of what nobody asked for


@dataclass
class Endings:
    """The endings of one unit of work at one `moment`."""

    session: Session
    moment: datetime
    events: list[tuple[str, Job, str, dict[str, Any]]] = field(default_factory=list)

    def succeed(self, job: Job, attempt: JobAttempt) -> None:
        """The job is done."""
        self._close(attempt, "succeeded")
        self._end(job, "succeeded", actor=f"worker:{attempt.worker}", seconds=attempt.seconds)

    def fail(self, job: Job, attempt: JobAttempt, detail: str) -> None:
        """The job failed by the fault of what was submitted; its charge stands."""
        self._close(attempt, "failed", fault="user", detail=detail)
        self._fail(job, "user", detail, actor=f"worker:{attempt.worker}")

    def interrupt(
        self, job: Job, attempt: JobAttempt, detail: str, policy: Policy, *, ending: str
    ) -> None:
        """Infrastructure failed (`failed`) or was not heard of any more (`expired`).

        The job is queued again, after a while; after its last attempt it has failed for good.
        """
        self._close(attempt, ending, fault="infrastructure", detail=detail)
        if job.cancel_requested_at is not None:
            self.cancel(job, job.detail or "cancelled", actor=QUEUE, refund=ending == "expired")
        elif job.attempt >= job.max_attempts:
            last = f"{job.attempt} attempts, the last: {detail}"
            self._fail(job, "infrastructure", last, actor=QUEUE)
            budgets.refund_job(self.session, job.id, by=QUEUE, moment=self.moment)
            if (lapse := lapses().get(job.kind)) is not None:
                lapse(self.session, job, self.moment)
        else:
            job.status, job.lease_id, job.lease_until, job.worker = "queued", None, None, None
            job.progress, job.detail = None, detail
            job.available_at = policy.retry_at(job.id, job.attempt, self.moment)
            self._event("job:interrupted", job, QUEUE, worker=attempt.worker, ending=ending)
        self.session.flush()

    def release(self, job: Job, attempt: JobAttempt, detail: str) -> None:
        """A worker that stops gives its job back: queued again at once, one more try allowed."""
        self._close(attempt, "released", detail=detail)
        job.status, job.lease_id, job.lease_until, job.worker = "queued", None, None, None
        job.progress, job.detail, job.available_at = None, detail, self.moment
        job.max_attempts += 1
        self._event("job:released", job, QUEUE, worker=attempt.worker)
        self.session.flush()

    def ask_to_stop(self, job: Job, detail: str, *, actor: str) -> None:
        """The worker that has the job is told at its next beat; whatever it then says, it ends."""
        job.cancel_requested_at, job.detail = self.moment, detail
        self._event("job:cancel_requested", job, actor)

    def stop(self, job: Job, attempt: JobAttempt) -> None:
        """A worker let go of a job that was to be cancelled; it had begun, its charge stands."""
        self._close(attempt, "cancelled")
        self.cancel(job, job.detail or "cancelled", actor=f"worker:{attempt.worker}", refund=False)

    def cancel(self, job: Job, detail: str, *, actor: str, refund: bool) -> None:
        """The job will not run (any more)."""
        if refund:
            budgets.refund_job(self.session, job.id, by=actor, moment=self.moment)
        self._end(job, "cancelled", actor=actor, detail=detail)

    def record(self) -> None:
        """Tell the audit log; last in a unit of work."""
        for tag, job, actor, facts in self.events:
            audit.record(
                self.session,
                tag=tag,
                subject_id=job.id,
                actor=actor,
                facts={"kind": job.kind, "submission": job.submission_id} | facts,
                moment=self.moment,
            )
        self.events.clear()

    def _fail(self, job: Job, fault: str, detail: str, *, actor: str) -> None:
        job.fault = fault
        self._end(job, "failed", actor=actor, detail=detail, fault=fault)

    def _end(
        self, job: Job, status: str, *, actor: str, detail: str | None = None, **facts: Any
    ) -> None:
        job.status, job.finished_at, job.detail = status, self.moment, detail
        job.lease_id = job.lease_until = job.worker = None
        self.session.flush()
        self._event(f"job:{status}", job, actor, attempt=job.attempt, **facts)
        if status == "succeeded":
            return
        reason = (
            f"its {job.kind} job {job.id} {'failed' if status == 'failed' else 'was cancelled'}"
        )
        for dependant in repository.waiting_dependants(self.session, job.id):
            self.cancel(dependant, reason, actor=QUEUE, refund=True)

    def _close(
        self,
        attempt: JobAttempt,
        ending: str,
        *,
        fault: str | None = None,
        detail: str | None = None,
    ) -> None:
        attempt.ending, attempt.fault, attempt.detail = ending, fault, detail
        attempt.ended_at = self.moment
        attempt.seconds = max(0, int((self.moment - attempt.started_at).total_seconds()))

    def _event(self, tag: str, job: Job, actor: str, **facts: Any) -> None:
        self.events.append((tag, job, actor, facts))
