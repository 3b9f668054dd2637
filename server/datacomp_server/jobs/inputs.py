"""The files that a job works on, by role: of the submission, or what its needs left.

`params["inputs"]` is `{role: {"sha256": ...} | {"job": id, "role": ...}}`.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.jobs import repository
from datacomp_server.jobs.models import Job


def of_file(sha256: str) -> dict[str, str]:
    """An input that is known already."""
    return {"sha256": sha256}


def of_job(job: Job, role: str) -> dict[str, str]:
    """An input that another job will have left when this one begins."""
    return {"job": job.id, "role": role}


def resolved_inputs(session: Session, job: Job) -> dict[str, str]:
    """The sha256 of each input of a job whose needs have succeeded."""
    declared: dict[str, Any] = job.params.get("inputs", {})
    makers = {source["job"] for source in declared.values() if "job" in source}
    left = {(out.job_id, out.role): out.sha256 for out in repository.outputs(session, makers)}
    return {
        role: source["sha256"] if "sha256" in source else left[source["job"], source["role"]]
        for role, source in declared.items()
    }


def wanted_roles(dependants: Iterable[Job], maker: Job) -> set[str]:
    """The roles of `maker`'s outputs that other jobs are to work on."""
    declared = [source for job in dependants for source in job.params.get("inputs", {}).values()]
    return {source["role"] for source in declared if source.get("job") == maker.id}
