"""Where a submission stands, as one word; computed, never stored."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from datacomp_server.jobs.models import Job
from datacomp_server.submissions.models import Submission


class State(StrEnum):
    """uploading -> checking -> accepted | refused; expired, if its files never came.

    unchecked, if its check ended without a verdict; it can be asked for again.
    """

    UPLOADING = "uploading"
    CHECKING = "checking"
    UNCHECKED = "unchecked"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"

    @property
    def stands(self) -> bool:
        """Whether it holds its report's place, or may still come to."""
        return self not in (State.REFUSED, State.EXPIRED)


def state_of(submission: Submission, jobs: Iterable[Job], *, moment: datetime) -> State:
    """The state at `moment` of a submission that has these jobs."""
    if submission.verdict is not None:
        return State.ACCEPTED if submission.verdict.accepted else State.REFUSED
    checks = [job for job in jobs if job.kind == "check"]
    if checks:  # which are planned once all files are here
        ended = all(job.finished_at is not None for job in checks)
        return State.UNCHECKED if ended else State.CHECKING
    return State.EXPIRED if moment >= submission.files_until else State.UPLOADING
