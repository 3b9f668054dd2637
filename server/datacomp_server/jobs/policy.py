"""The queue's numbers: how long a lease lasts, when to try again, whose turn it is. Pure.

A job's turn is the moment of its creation, less an hour for each step of priority, plus what its
team has used of late: worker seconds of the last day, one for one, up to a limit. All three are
bounded, so whatever waits is overtaken only by jobs of a bounded time after it: nothing starves.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from datacomp_server.settings import Settings

PRIORITY_SECONDS = 3600
SHARE_WINDOW = timedelta(days=1)
SHARE_LIMIT_SECONDS = 24 * 3600
SEEN_WINDOW = timedelta(minutes=15)  # a worker that has not asked for longer counts as away
_LONGEST_RETRY = timedelta(hours=1)
_JITTER = 0.25


@dataclass(frozen=True)
class Policy:
    """What an organiser can set about the queue; all in seconds but the last two."""

    lease_seconds: int
    beat_seconds: int
    retry_seconds: int
    team_running_jobs: int
    max_log_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """The policy of a service."""
        return cls(
            lease_seconds=settings.lease_seconds,
            beat_seconds=settings.beat_seconds,
            retry_seconds=settings.retry_seconds,
            team_running_jobs=settings.team_running_jobs,
            max_log_bytes=settings.max_log_bytes,
        )

    def lease_until(self, moment: datetime) -> datetime:
        """When a lease taken or renewed at `moment` runs out."""
        return moment + timedelta(seconds=self.lease_seconds)

    def retry_at(self, job_id: str, attempt: int, moment: datetime) -> datetime:
        """When a job may be tried again whose `attempt` (1, 2, ...) ended at `moment`.

        Doubles with each attempt up to an hour. A share of up to a quarter, fixed by the job's id,
        keeps jobs apart that failed together.
        """
        wait = min(timedelta(seconds=self.retry_seconds * 2 ** (attempt - 1)), _LONGEST_RETRY)
        digest = hashlib.sha256(f"{job_id}/{attempt}".encode()).digest()
        return moment + wait * (1 + _JITTER * int.from_bytes(digest[:4]) / 2**32)

    def retry_until(self, moment: datetime) -> datetime:
        """The latest that `retry_at` can be, of an attempt that ended by `moment`."""
        return moment + _LONGEST_RETRY * (1 + _JITTER)

    def elsewhere_until(self, moment: datetime) -> datetime:
        """Jobs available before this may also go to a worker that failed them; later ones not."""
        return moment - timedelta(seconds=self.retry_seconds)


def turn(created_at: datetime, priority: int) -> int:
    """A job's place in line, before its team's share: smaller is earlier."""
    return int(created_at.timestamp()) - priority * PRIORITY_SECONDS


def penalties(used: Mapping[str, int]) -> dict[str, int]:
    """Seconds that each team's jobs stand further back, from the worker seconds it used lately."""
    return {team: min(seconds, SHARE_LIMIT_SECONDS) for team, seconds in used.items() if seconds}
