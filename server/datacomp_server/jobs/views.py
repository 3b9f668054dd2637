"""Jobs and leases in the form in which the API shows them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.budgets import service as budgets
from datacomp_server.jobs import repository
from datacomp_server.jobs.lease import Lease
from datacomp_server.jobs.models import Job
from datacomp_server.jobs.plans import Option
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.schemas import (
    InputOut,
    LeaseOut,
    LeftOut,
    PlanOut,
    VerificationOut,
    WaitReasonOut,
    WayOut,
)
from datacomp_server.submissions.models import Submission


def lease_out(session: Session, policy: Policy, lease: Lease) -> LeaseOut:
    """A lease, for the worker that got it."""
    job, sizes = lease.job, repository.sizes(session, lease.inputs.values())
    own = ("kind", "resource", "pool_id", "submission_id", "attempt", "max_attempts")
    return LeaseOut(
        lease_id=lease.id,
        lease_until=lease.until,
        lease_seconds=policy.lease_seconds,
        beat_seconds=policy.beat_seconds,
        max_log_bytes=policy.max_log_bytes,
        job_id=job.id,
        params={name: value for name, value in job.params.items() if name != "inputs"},
        inputs={
            role: InputOut(sha256=sha256, size=sizes[sha256])
            for role, sha256 in lease.inputs.items()
        },
        **{name: getattr(job, name) for name in own},
    )


_UNIT = "compute_seconds"


def plan_out(session: Session, submission: Submission, jobs: Sequence[Job]) -> PlanOut:
    """A plan that is in the line; jobs that cost their team something are its own."""
    charged = sum(job.expected_seconds for job in jobs if job.team_id is not None)
    return PlanOut(
        jobs=[job.id for job in jobs],
        kinds=[job.kind for job in jobs],
        charged=charged,
        charged_in_words=budgets.told(_UNIT, charged) if charged else "nothing",
        **_left(session, submission),
    )


def verification_out(
    session: Session, submission: Submission, level: str, ways: Sequence[Option]
) -> VerificationOut:
    """The ways up from where a submission is."""
    return VerificationOut(
        id=submission.id,
        level=level,
        ways=[_way(option) for option in ways],
        **_left(session, submission),
    )


def _way(option: Option) -> WayOut:
    refusal = option.refusal
    return WayOut(
        level=option.level.label,
        kinds=[draft.kind for draft in option.drafts],
        costs=option.charged_seconds,
        costs_in_words=budgets.told(_UNIT, option.charged_seconds),
        refusal=WaitReasonOut(code=refusal.error, text=refusal.detail) if refusal else None,
    )


def _left(session: Session, submission: Submission) -> dict[str, Any]:
    budget = budgets.of_board(session, submission.team_id, submission.board, _UNIT)
    return {name: getattr(budget, name) for name in LeftOut.model_fields}
