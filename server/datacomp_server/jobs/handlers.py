"""The service's own jobs (resource class `service`): what does them, in two steps.

A handler does the slow part without a transaction: it reads files, computes, and returns what is
to be written. That runs in the transaction that finishes the job, so that it happens exactly once
however often a job is tried. `UserFault`, in either step, fails the job by fault of what was
submitted; any other exception is the service's own, and the job is tried again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from datacomp_server.context import Context


@dataclass(frozen=True)
class Work:
    """A job as its handler sees it; `inputs` are the sha256 of its files by role."""

    job_id: str
    kind: str
    submission_id: str | None
    params: Mapping[str, Any]
    inputs: Mapping[str, str]


Apply = Callable[[Session, datetime], None]
Handler = Callable[[Context, Work], Apply]


def handlers() -> Mapping[str, Handler]:
    """The handler of each kind of job that is the service's own."""
    from datacomp_server.audit.nightly import export_day
    from datacomp_server.submissions.checking import check
    from datacomp_server.verification.scoring import score

    return {"check": check, "export": export_day, "score": score}
