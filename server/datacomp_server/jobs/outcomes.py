"""What a succeeded job leaves: its outputs as rows, and what its kind sets in motion.

A hook runs in the transaction that finishes the job: all of it happens, or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.artifacts import service as artifacts
from datacomp_server.artifacts.service import Owner
from datacomp_server.context import Context
from datacomp_server.jobs import repository
from datacomp_server.jobs.inputs import wanted_roles
from datacomp_server.jobs.models import Job, JobOutput
from datacomp_server.kit.errors import Refused


@dataclass(frozen=True)
class Output:
    """A file that a job made; `facts` are JSON values about it."""

    role: str
    sha256: str
    facts: Mapping[str, Any] = field(default_factory=dict)


Hook = Callable[[Session, Context, Job, Sequence[Output], datetime], None]


class UserFault(Exception):
    """What was submitted is at fault: the job fails, and its charge stands."""


def hooks() -> Mapping[str, Hook]:
    """What happens when a job of a kind has succeeded."""
    from datacomp_server.submissions.selected import look_at

    return {"filter": look_at}


def keep(
    session: Session, job: Job, lease_id: str, outputs: Sequence[Output], *, moment: datetime
) -> None:
    """Store what a job left; `Refused` (output_missing) if a file is not here, or not named.

    Files count that were uploaded under this very lease.
    """
    roles = [output.role for output in outputs]
    if len(set(roles)) < len(roles):
        raise Refused("two outputs have the same role", code="output_twice")
    owner = Owner(lease_id=lease_id)
    missing = [
        f"{one.role} ({one.sha256}) has not been uploaded"
        for one in outputs
        if not artifacts.is_whole(session, owner, one.sha256, moment=moment)
    ]
    awaited = wanted_roles(repository.waiting_dependants(session, job.id), job)
    missing += [f"{role} is what another job waits for" for role in sorted(awaited - {*roles})]
    if missing:
        raise Refused(
            f"outputs of job {job.id} are missing: {'; '.join(missing)}. Nothing stored: upload "
            "them, then finish again.",
            code="output_missing",
        )
    for output in outputs:
        session.add(
            JobOutput(
                job_id=job.id, role=output.role, sha256=output.sha256, facts=dict(output.facts)
            )
        )
    session.flush()


def run(
    session: Session,
    context: Context,
    job: Job,
    outputs: Sequence[Output],
    chosen: Mapping[str, Hook] | None,
    *,
    moment: datetime,
) -> None:
    """Run the hook of the job's kind, if it has one; `chosen` goes before `hooks()`."""
    hook = (hooks() if chosen is None else chosen).get(job.kind)
    if hook is not None:
        hook(session, context, job, outputs, moment)
