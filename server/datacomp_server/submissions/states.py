"""Where a submission stands, as one word; computed, never stored."""

from datetime import datetime
from enum import StrEnum

from datacomp_server.submissions.models import Submission


class State(StrEnum):
    """uploading -> checking -> accepted | refused; expired, if its files never came."""

    UPLOADING = "uploading"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"

    @property
    def stands(self) -> bool:
        """Whether it holds its report's place, or may still come to."""
        return self in (State.UPLOADING, State.CHECKING, State.ACCEPTED)


def state_of(submission: Submission, *, has_check: bool, moment: datetime) -> State:
    """The state at `moment`; `has_check` says that all files are here and a check was planned."""
    if submission.verdict is not None:
        return State.ACCEPTED if submission.verdict.accepted else State.REFUSED
    if has_check:
        return State.CHECKING
    return State.EXPIRED if moment >= submission.files_until else State.UPLOADING
