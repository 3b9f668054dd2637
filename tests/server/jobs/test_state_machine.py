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

from datacomp_server.boards.models import Board
from datacomp_server.budgets import repository as budget_repository
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.jobs import clocks, service
from datacomp_server.jobs.models import ENDED, FAULTS, LIVE, Job, JobAttempt, JobNeed
from datacomp_server.jobs.outcomes import UserFault
from datacomp_server.kit.db import Base
from datacomp_server.kit.errors import Conflict
from datacomp_server.submissions import rechecking
from datacomp_server.submissions.models import Submission
from tests.server.jobs.conftest import Queue
from tests.server.jobs.promises import COST, Promises, check_ledger

WORKERS = ("w1", "w2", "w3")
CLASSES = ("tiny", "service")
KINDS = ("train", "evaluate", "score", "check")
OUTCOMES = ("succeeded", "succeeded", "user", "infrastructure", "released", "refused", "broken")
EXAMPLES, STEPS = 12, 40


class QueueMachine(Promises, RuleBasedStateMachine):
    """A team's chains of jobs, the check of its submission, three workers, and a clock."""

    jobs = Bundle("jobs")
    leases = Bundle("leases")
    context = None  # of all examples: opening one costs as much as an example

    def __init__(self):
        super().__init__()
        self.held = {}  # lease id -> until when, of leases that should be accepted
        self.of, self.job_of, self.forgotten = {}, {}, set()
        self.last, self.effects, self.releases = {}, Counter(), Counter()
        self.checks = []

    @initialize(target=jobs)
    def open(self):
        context, self.clock = self.context, self.context.clock
        self.queue = Queue(context, self.clock)
        with context.database.writing() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != Board.__tablename__:
                    session.execute(table.delete())
        self.submission, check = self.queue.add_submission()
        self.checks.append(check)
        return multiple(*self.chain(3), *self.chain(2), *self.checks)

    @precondition(lambda self: len(self.last) < 12)
    @rule(target=jobs, length=st.integers(0, 3))
    def enqueue(self, length):
        """A chain of the team's, or one job that an organiser has planned, which nobody pays."""
        return multiple(*self.chain(length)) if length else self.queue.add("train", **self.whose())

    @rule(target=jobs)
    def check_again(self):
        """One check at a time; its team pays for it if the last one was given back."""
        last = self.queue.job(self.checks[-1])
        try:
            with self.queue.context.database.writing() as session:
                found = session.get(Submission, self.submission)
                whom = {"by": "team:Alpha", "charged": True, "moment": self.clock()}
                self.checks.append(rechecking.check_again(session, found, **whom).id)
        except Conflict:
            assert last.status not in ENDED
            return multiple()
        assert last.status in ENDED
        return self.checks[-1]

    def chain(self, length):
        made = []
        for kind in ("train", "evaluate", "score")[:length]:
            facts = {"charged": True, "expected_seconds": COST, **self.whose()}
            made.append(self.queue.add(kind, needs=tuple(made[-1:]), **facts))
        return made

    def whose(self):
        return {"submission": self.submission}

    @rule(target=leases, worker=st.sampled_from(WORKERS))
    def claim(self, worker):
        lease = self.take(worker)
        return lease or multiple()

    @rule(target=leases, worker=st.sampled_from(WORKERS), outcome=st.sampled_from(OUTCOMES))
    def work(self, worker, outcome):
        """A job from its claim to its end."""
        if (lease := self.take(worker)) is None:
            return multiple()
        self.end(lease, outcome)
        return lease

    @rule()
    def check_gives_up(self):
        """Infrastructure fails until there is no further try."""
        for _ in range(4):
            self.clock.pass_seconds(5000)
            if (lease := self.take("w4", ("service",))) is not None:
                self.end(lease, "infrastructure")

    def take(self, worker, classes=CLASSES):
        self.sweep()
        lease = self.queue.claim(worker, classes)
        if lease is None:
            return None
        self.held[lease.id], self.of[lease.id] = lease.until, worker
        self.job_of[lease.id] = lease.job.id
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

    @rule(lease=leases, outcome=st.sampled_from(OUTCOMES))
    def finish(self, lease, outcome):
        if lease not in self.forgotten:
            self.end(lease, outcome)

    def end(self, lease, outcome):
        def effect(session, context, job, outputs, moment):
            if outcome == "refused":
                raise UserFault("what was submitted is at fault")
            if outcome == "broken":
                raise OSError("the service itself failed")
            self.effects[job.id] += 1

        fault = outcome if outcome in FAULTS else None
        told = {"hooks": dict.fromkeys(KINDS, effect), "released": outcome == "released"}
        before = self.snapshot()
        try:
            job = self.queue.finish(lease, fault, **told)
        except Conflict:
            assert lease not in self.held
        except OSError:
            assert self.snapshot() == before
            return
        if lease not in self.held:
            assert self.snapshot() == before  # told again, or too late: nothing happens
        elif outcome == "released":
            assert job.status == ("cancelled" if job.cancel_requested_at else "queued")
            self.releases[job.id] += job.status == "queued"
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

    def at_work(self):
        return [lease for lease in self.held if lease not in self.forgotten]

    @precondition(at_work)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def finish_what_runs(self, outcome):
        self.end(self.at_work()[0], outcome)

    @precondition(at_work)
    @rule(outcome=st.sampled_from((*OUTCOMES, "silence", "silence")))
    def cancel_what_runs(self, outcome):
        lease = self.at_work()[-1]
        self.queue.cancel(self.job_of[lease])
        if outcome == "silence":
            self.clock.pass_seconds(301)
            self.sweep()
            self.queue.expire()
        else:
            self.end(lease, outcome)
        assert self.queue.job(self.job_of[lease]).status == "cancelled"

    @rule(sure=st.sampled_from((False, False, True)))
    def withdraw(self, sure):
        """Every job of the submission ends, or is told to; not in each example."""
        if not sure:
            return
        with self.queue.context.database.writing() as session:
            by = {"by": "team:Alpha", "moment": self.clock()}
            service.cancel_all(session, self.submission, "withdrawn", **by)
            left = session.scalars(select(Job).where(Job.finished_at.is_(None))).all()
            assert all(job.status in LIVE and job.cancel_requested_at for job in left)

    @rule(seconds=st.sampled_from((1, 100, 299, 301, 5000, -400, -100_000)))
    def time_passes(self, seconds):
        """Or the clock is set back."""
        self.clock.pass_seconds(seconds)

    @rule()
    def service_was_away(self):
        with self.queue.context.database.writing() as session:
            clocks.forgive(session, self.queue.policy, moment=self.clock())
        until = self.queue.policy.lease_until(self.clock())
        self.held = {lease: max(until, before) for lease, before in self.held.items()}

    @rule()
    def expire(self):
        self.sweep()
        self.queue.expire()

    def sweep(self):
        """What a claim does first: leases that ran out are lost; none lasts longer than a lease."""
        now, longest = self.clock(), self.queue.policy.lease_until(self.clock())
        held = self.held.items()
        self.held = {lease: min(until, longest) for lease, until in held if until > now}

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
            paid = budget_repository.paid_for(session, session.get(Submission, self.submission))
            balance = Counter()
            for entry in session.scalars(select(LedgerEntry).filter_by(unit="compute_seconds")):
                balance[entry.job_id] += entry.amount
        self.check_leases(jobs, attempts)
        self.check_history(jobs, attempts)
        for job in jobs.values():
            check_ledger(job, balance[job.id], attempts)
        self.check_submission([jobs[check] for check in self.checks], paid)
        for need in needs:
            job, needed = jobs[need.job_id], jobs[need.needs_id]
            assert not job.attempt or needed.status == "succeeded"
            assert job.status != "queued" or needed.status not in ("failed", "cancelled")

    def teardown(self):
        """Whatever happened: with workers that work, everything ends."""
        if not hasattr(self, "queue"):
            return
        for _ in range(3 * len(self.last) + 3):
            self.clock.pass_seconds(5000)
            while lease := self.queue.claim("w4", CLASSES):
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
