"""Everything at once, on both databases: whatever overlaps, no job is lost and no cent."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

from sqlalchemy import select

from datacomp_server.budgets import repository as budgets
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.jobs import service
from datacomp_server.jobs.models import ENDED, Job, JobAttempt
from datacomp_server.kit.errors import Conflict
from datacomp_server.submissions import rechecking
from datacomp_server.submissions.models import Submission
from tests.server.jobs.promises import COST, check_ledger

CLASSES = ("tiny", "service")
WORKERS, ROUNDS, CHAINS = 4, 8, 8
ENDS = ({}, {"fault": "infrastructure"}, {"fault": "user"}, {"released": True})


def chain(queue, submission):
    made = []
    for kind in ("train", "evaluate"):
        facts = {"submission": submission, "charged": True, "expected_seconds": COST}
        made.append(queue.add(kind, needs=tuple(made[-1:]), **facts))
    return made


def test_workers_cancellations_withdrawal_and_expiry(queue):
    submission, check = queue.add_submission()
    jobs = [job for _ in range(CHAINS) for job in chain(queue, submission)]
    start, leases = Barrier(WORKERS + 3), []

    def work(number):
        start.wait()
        for round_ in range(ROUNDS):
            if (held := queue.claim(f"w{number}", CLASSES)) is not None:
                leases.append(held.id)
                if round_ % 3:
                    say(queue, held.id, **ENDS[(number + round_) % len(ENDS)])

    def say_again():
        start.wait()
        for _ in range(ROUNDS):
            for lease in leases[-2:]:
                say(queue, lease)

    def cancel():
        start.wait()
        for job in jobs[:: CHAINS // 2]:
            with suppress(Conflict):
                queue.cancel(job)

    def withdraw():
        start.wait()
        for _ in range(ROUNDS):
            queue.clock.pass_seconds(61)
        with queue.context.database.writing() as session:
            by = {"by": "team:Alpha", "moment": queue.clock()}
            service.cancel_all(session, submission, "withdrawn", **by)

    with ThreadPoolExecutor(WORKERS + 3) as pool:
        calls = [pool.submit(work, n) for n in range(WORKERS)]
        calls += [pool.submit(call) for call in (say_again, cancel, withdraw)]
        for call in calls:
            call.result()
    queue.clock.pass_seconds(400)
    queue.expire()

    with queue.context.database.reading() as session:
        found = session.scalars(select(Job)).all()
        attempts = session.scalars(select(JobAttempt)).all()
        balance = Counter()
        for entry in session.scalars(select(LedgerEntry).filter_by(unit="compute_seconds")):
            balance[entry.job_id] += entry.amount
        paid = budgets.paid_for(session, session.get(Submission, submission))
    assert {job.id for job in found} == {check, *jobs}
    assert {job.status for job in found} <= set(ENDED)
    assert all(attempt.ended_at for attempt in attempts)
    for job in found:
        check_ledger(job, balance[job.id], attempts)
    last = next(job for job in found if job.id == check)
    assert paid == (0 if last.fault == "infrastructure" else 1)


def say(queue, lease, **end):
    with suppress(Conflict):
        queue.finish(lease, **end)


def test_a_check_is_asked_for_and_withdrawn_at_once(queue):
    """Whichever is first: one check at most, and none that runs for what was withdrawn."""
    submission, check = queue.add_submission()
    for _ in range(3):
        queue.clock.pass_seconds(4000)
        queue.finish(queue.claim(classes=CLASSES).id, "infrastructure")
    start = Barrier(5)

    def ask():
        start.wait()
        with queue.context.database.writing() as session:
            found = session.get(Submission, submission)
            whom = {"by": "team:Alpha", "charged": True, "moment": queue.clock()}
            try:
                return rechecking.check_again(session, found, **whom).id
            except Conflict:
                return None

    def end():
        start.wait()
        with queue.context.database.writing() as session:
            by = {"by": "team:Alpha", "moment": queue.clock()}
            service.cancel_all(session, submission, "withdrawn", **by)

    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        pool.submit(end).result()
        made = [call.result() for call in asked]

    with queue.context.database.reading() as session:
        checks = session.scalars(select(Job).filter_by(kind="check")).all()
        paid = budgets.paid_for(session, session.get(Submission, submission))
    waiting = [job for job in checks if job.status == "queued"]
    assert {job.id for job in checks} == {check, *filter(None, made)}
    assert len(waiting) <= 1
    assert paid == len(waiting)
