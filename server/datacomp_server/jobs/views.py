"""Jobs and leases in the form in which the API shows them."""

from sqlalchemy.orm import Session

from datacomp_server.jobs import repository
from datacomp_server.jobs.lease import Lease
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.schemas import InputOut, LeaseOut


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
