"""What the queue promises whatever happens, of the state machine that `test_state_machine` runs.

`jobs` are all jobs by id, as the database has them after a step.
"""

from collections import Counter

from datacomp_server.jobs.models import ENDED, LIVE

COST = 60


def check_ledger(job, balance, attempts):
    """What a team has paid for a job, and not got back: by how it ended."""
    gave_up = (job.status, job.fault) == ("failed", "infrastructure")
    if gave_up or job.team_id is None:
        assert balance == 0
    elif job.status == "cancelled":
        stopped = (job.id, "cancelled") in {(one.job_id, one.ending) for one in attempts}
        assert balance == (-COST if stopped else 0)
    else:
        assert balance == -COST


class Promises:
    """Checks that use what the machine has seen so far: `held`, `last`, `effects`, ..."""

    def check_leases(self, jobs, attempts):
        live = {job.lease_id for job in jobs.values() if job.status in LIVE}
        assert {attempt.lease_id for attempt in attempts if attempt.ended_at is None} == live
        assert set(self.held) == live
        paid = [job for job in jobs.values() if job.status in LIVE and job.team_id]
        assert len(paid) <= self.queue.policy.team_running_jobs

    def check_history(self, jobs, attempts):
        counts = Counter(attempt.job_id for attempt in attempts)
        for job in jobs.values():
            before, status = self.last.get(job.id, (0, "queued"))
            assert job.attempt >= before
            assert job.attempt == counts[job.id] <= job.max_attempts == 3 + self.releases[job.id]
            assert job.fault != "infrastructure" or job.attempt == job.max_attempts
            assert job.status != "queued" or job.cancel_requested_at is None
            assert status not in ENDED or status == job.status
            assert self.effects[job.id] == (job.status == "succeeded")
            self.last[job.id] = job.attempt, job.status

    def check_submission(self, checks, paid):
        *before, last = checks
        assert all(job.status in ENDED for job in before)
        if (last.status, last.fault) == ("failed", "infrastructure"):
            assert paid == 0
        elif last.status == "cancelled":
            assert paid in (0, 1)
        else:
            assert paid == 1
