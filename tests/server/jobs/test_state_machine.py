"""Whatever workers, teams and time do, in any order: the promises of the queue, on both databases.

The machine keeps what it expects of each lease; the database is asked after every step.
"""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from datacomp_server.artifacts.models import Artifact
from datacomp_server.boards.models import Board
from datacomp_server.boards.opening import find_board, suite_sha256
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity.models import Team
from datacomp_server.jobs.models import ENDED, LIVE, Job, JobAttempt, JobNeed
from datacomp_server.kit.db import Base
from datacomp_server.kit.errors import Conflict
from datacomp_server.submissions.models import Submission
from tests.server.jobs.conftest import Queue

COST = 60
WORKERS = ("w1", "w2", "w3")
EXAMPLES, STEPS = 10, 30


class QueueMachine(RuleBasedStateMachine):
    """A team's chains of jobs, three workers, and a clock."""

    jobs = Bundle("jobs")
    leases = Bundle("leases")
    context = None  # of all examples: opening one costs as much as an example

    def __init__(self):
        super().__init__()
        self.held = {}  # lease id -> until when, of leases that should be accepted
        self.of, self.forgotten = {}, set()
        self.last, self.effects = {}, Counter()

    @initialize(target=jobs)
    def open(self):
        context, self.clock = self.context, self.context.clock
        self.queue = Queue(context, self.clock)
        with context.database.writing() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != Board.__tablename__:
                    session.execute(table.delete())
            team = Team(name="Alpha", key="alpha")
            session.add_all([team, Artifact(sha256="d" * 64, size=1)])
            session.flush()
            board = find_board(session, "filtering", "tiny", suite_sha256("tiny"))
            facts = {"kind": "report", "method": "m", "oracle": False, "attempt": 1, "seed": 0}
            facts |= {"manifest_sha256": "d" * 64, "report_sha256": "d" * 64, "pool_id": "p"}
            submission = Submission(
                team_id=team.id,
                board_id=board.id,
                validator="v",
                files_until=self.clock(),
                **facts,
            )
            session.add(submission)
            session.flush()
            self.submission = submission.id
        return multiple(*self.chain(3), *self.chain(2))

    @precondition(lambda self: len(self.last) < 8)
    @rule(target=jobs, length=st.integers(1, 3))
    def enqueue(self, length):
        return multiple(*self.chain(length))

    def chain(self, length):
        made = []
        for kind in ("train", "evaluate", "score")[:length]:
            facts = {"submission": self.submission, "charged": True, "expected_seconds": COST}
            made.append(self.queue.add(kind, needs=tuple(made[-1:]), **facts))
        return made

    @rule(target=leases, worker=st.sampled_from(WORKERS))
    def claim(self, worker):
        self.sweep()
        lease = self.queue.claim(worker)
        if lease is None:
            return multiple()
        self.held[lease.id] = lease.until
        self.of[lease.id] = worker
        return lease.id

    @rule(lease=leases)
    def beat(self, lease):
        if lease in self.forgotten:
            return
        if lease in self.held:
            self.held[lease] = self.queue.beat(lease).until
        else:
            with pytest.raises(Conflict) as refused:
                self.queue.beat(lease)
            assert refused.value.error == "lease_lost"

    @rule(lease=leases, fault=st.sampled_from((None, None, "user", "infrastructure")))
    def finish(self, lease, fault):
        def effect(session, context, job, outputs, moment):
            self.effects[job.id] += 1

        if lease in self.forgotten:
            return
        hooks = dict.fromkeys(("train", "evaluate", "score"), effect)
        before = self.snapshot()
        try:
            self.queue.finish(lease, fault, hooks=hooks)
        except Conflict:
            assert lease not in self.held
        if lease not in self.held:
            assert self.snapshot() == before  # told again, or too late: nothing happens
        self.held.pop(lease, None)

    @rule(worker=st.sampled_from(WORKERS))
    def crash(self, worker):
        """A worker that starts anew knows of no lease, and nobody else does."""
        self.forgotten |= {lease for lease, owner in self.of.items() if owner == worker}

    @rule(job=jobs)
    def cancel(self, job):
        before = self.queue.job(job)
        try:
            after = self.queue.cancel(job)
        except Conflict:
            assert before.status in ("succeeded", "failed")
        else:
            assert after.status == ("cancelled" if before.status not in LIVE else before.status)

    @rule(seconds=st.sampled_from((1, 100, 299, 301, 5000)))
    def time_passes(self, seconds):
        self.clock.pass_seconds(seconds)

    @rule()
    def expire(self):
        self.sweep()
        self.queue.expire()

    def sweep(self):
        """What a claim does first: leases that ran out are lost."""
        now = self.clock()
        self.held = {lease: until for lease, until in self.held.items() if until > now}

    def snapshot(self):
        with self.queue.context.database.reading() as session:
            jobs = session.scalars(select(Job).order_by(Job.id)).all()
            return [(job.id, job.status, job.attempt, job.lease_id) for job in jobs]

    @invariant()
    def promises(self):
        if not hasattr(self, "queue"):
            return
        with self.queue.context.database.reading() as session:
            jobs = {job.id: job for job in session.scalars(select(Job))}
            attempts = session.scalars(select(JobAttempt)).all()
            needs = session.scalars(select(JobNeed)).all()
            entries = session.scalars(select(LedgerEntry).where(LedgerEntry.job_id.is_not(None)))
            balance = Counter()
            for entry in entries:
                balance[entry.job_id] += entry.amount
        self.check_leases(jobs, attempts)
        self.check_history(jobs, attempts)
        for job in jobs.values():
            self.check_ledger(job, balance[job.id], attempts)
        for need in needs:
            job, needed = jobs[need.job_id], jobs[need.needs_id]
            assert not job.attempt or needed.status == "succeeded"
            assert job.status != "queued" or needed.status not in ("failed", "cancelled")

    def check_leases(self, jobs, attempts):
        live = {job.lease_id for job in jobs.values() if job.status in LIVE}
        assert {attempt.lease_id for attempt in attempts if attempt.ended_at is None} == live
        assert set(self.held) == live
        assert len(live) <= self.queue.policy.team_running_jobs

    def check_history(self, jobs, attempts):
        counts = Counter(attempt.job_id for attempt in attempts)
        for job in jobs.values():
            before, status = self.last.get(job.id, (0, "queued"))
            assert job.attempt >= before
            assert job.attempt == counts[job.id] <= job.max_attempts
            assert status not in ENDED or status == job.status
            assert self.effects[job.id] == (job.status == "succeeded")
            self.last[job.id] = job.attempt, job.status

    def check_ledger(self, job, balance, attempts):
        if (job.status, job.fault) == ("failed", "infrastructure"):
            assert balance == 0
        elif job.status == "cancelled":
            stopped = (job.id, "cancelled") in {(one.job_id, one.ending) for one in attempts}
            assert balance == (-COST if stopped else 0)
        else:
            assert balance == -COST

    def teardown(self):
        """Whatever happened: with workers that work, everything ends."""
        if not hasattr(self, "queue"):
            return
        for _ in range(3 * len(self.last) + 3):
            self.clock.pass_seconds(5000)
            while lease := self.queue.claim("w4"):
                self.queue.finish(lease.id)
        assert all(status in ENDED for _, status, *_ in self.snapshot())


def test_promises(queue):
    class Machine(QueueMachine):
        context = queue.context

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
