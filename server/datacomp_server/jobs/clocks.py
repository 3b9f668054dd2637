"""When the service's clock jumps, or the service was away: nobody loses a job by that.

Set back, the clock would leave jobs available, leases ending and tries due in a future that may be
far. Set forward, or after the service was down, every lease seems to have run out, though its
worker could not say that it lives.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp_server.jobs import repository
from datacomp_server.jobs.policy import Policy, turn


def set_right(session: Session, policy: Policy, *, moment: datetime) -> None:
    """Bring what lies in an impossible future back to `moment`; usually there is none.

    A lease lasts as if renewed now, a try waits its longest, and what was planned in the future
    keeps its distance to its planning.
    """
    lease_until, retry_until = policy.lease_until(moment), policy.retry_until(moment)
    found = repository.ahead(session, moment, lease_until=lease_until, retry_until=retry_until)
    for job in found:
        if job.lease_until is not None:
            job.lease_until = min(job.lease_until, lease_until)
        elif job.attempt:
            job.available_at = min(job.available_at, retry_until)
        else:
            job.available_at -= job.created_at - moment
        if job.created_at > moment:
            job.created_at, job.turn = moment, turn(moment, job.priority)
    session.flush()


def forgive(session: Session, policy: Policy, *, moment: datetime) -> None:
    """The service was away: every lease begins anew, so that its worker has time to be heard."""
    repository.prolong(session, policy.lease_until(moment))


class Absences:
    """Notices that a clock ran on by more than `limit` without the machine.

    `timer` counts seconds while the machine runs, such as `time.monotonic`.
    """

    def __init__(
        self, clock: Callable[[], datetime], timer: Callable[[], float], limit: timedelta
    ) -> None:
        self._clock, self._timer, self._limit = clock, timer, limit
        self._before: tuple[datetime, float] | None = None

    def found(self) -> bool:
        """Whether there was one since `over` was last called; before the first call there was."""
        if self._before is None:
            return True
        moment, seconds = self._before
        return self._clock() - moment - timedelta(seconds=self._timer() - seconds) > self._limit

    def over(self) -> None:
        """From now on it runs."""
        self._before = self._clock(), self._timer()
