"""The service's own jobs: done once, beside the web server, by the same leases."""

import dataclasses
import threading

import pytest

from datacomp_server.audit.models import Event
from datacomp_server.identity.models import Team
from datacomp_server.jobs import runner
from datacomp_server.jobs.outcomes import UserFault
from support.processes import BOUND_SECONDS


def founds(name):
    """A handler that founds a team, in the transaction that finishes its job."""

    def handler(context, work):
        return lambda session, moment: session.add(Team(name=name, key=name, created_at=moment))

    return handler


def fails(error, *, when):
    def raise_it(*_):
        raise error

    return raise_it if when == "working" else lambda context, work: raise_it


@pytest.fixture
def teams(queue):
    """`teams()`: how many there are."""

    def count():
        with queue.context.database.reading() as session:
            return session.query(Team).count()

    return count


def test_nothing_to_do(queue):
    queue.add("train", "tiny")

    assert not runner.run_one(queue.context, {})


def test_what_a_handler_returns_is_written_with_the_end(queue, teams):
    job = queue.add("check", "service", params={"level": 3})
    seen = []

    def handler(context, work):
        seen.append((work.job_id, work.kind, dict(work.params)))
        return founds("new")(context, work)

    assert runner.run_one(queue.context, {"check": handler})

    assert (queue.job(job).status, teams()) == ("succeeded", 1)
    assert seen == [(job, "check", {"level": 3})]
    assert queue.attempts(job)[0].worker.startswith("service@")


@pytest.mark.parametrize("when", ["working", "writing"])
def test_a_fault_of_the_submission(queue, when):
    job = queue.add("check", "service")

    runner.run_one(queue.context, {"check": fails(UserFault("no subset"), when=when)})

    found = queue.job(job)
    assert (found.status, found.fault, found.detail) == ("failed", "user", "no subset")


@pytest.mark.parametrize("when", ["working", "writing"])
def test_a_fault_of_ours_is_tried_again_and_not_told_in_public(queue, caplog, when):
    job = queue.add("check", "service")

    runner.run_one(queue.context, {"check": fails(ValueError("secret"), when=when)})

    found = queue.job(job)
    assert (found.status, found.attempt) == ("queued", 1)
    assert "secret" not in found.detail
    assert "secret" in caplog.text


def test_a_lease_that_was_lost_meanwhile_writes_nothing(queue, teams):
    queue.add("check", "service")

    def slow(context, work):
        queue.clock.pass_seconds(301)
        queue.expire()
        return founds("new")(context, work)

    runner.run_one(queue.context, {"check": slow})

    assert teams() == 0


def test_leases_of_workers_that_ran_out_are_taken_back(queue):
    job = queue.add()
    queue.claim()
    queue.clock.pass_seconds(301)

    runner.run_one(queue.context, {})

    assert queue.job(job).status == "queued"


def test_a_long_job_beats(queue):
    job = queue.add("check", "service")
    settings = queue.context.settings.model_copy(update={"beat_seconds": 0.001})
    context = dataclasses.replace(queue.context, settings=settings)
    bound = threading.Event()

    def slow(context, work):
        before = queue.job(job).lease_until
        queue.clock.pass_seconds(200)
        while queue.job(job).lease_until == before:
            assert not bound.wait(0.001)
        return lambda session, moment: None

    runner.run_one(context, {"check": slow})

    assert queue.job(job).status == "succeeded"


def test_the_thread_ends_its_present_job_when_it_is_stopped(queue, teams):
    stoppers = []

    def handler(context, work):
        stoppers.append(threading.Thread(target=thread.stop))
        stoppers[0].start()
        assert thread.stopping.wait(BOUND_SECONDS)
        return founds("new")(context, work)

    queue.add("check", "service")
    later = queue.add("check", "service")
    thread = runner.Runner(queue.context, {"check": handler})
    thread.start()
    assert thread.stopping.wait(BOUND_SECONDS)
    stoppers[0].join(BOUND_SECONDS)

    assert not stoppers[0].is_alive()
    assert (teams(), queue.job(later).status) == (1, "queued")


def test_every_end_is_in_the_audit_log(queue):
    job = queue.add("check", "service")
    runner.run_one(queue.context, {"check": founds("new")})

    with queue.context.database.reading() as session:
        (event,) = session.query(Event).all()
    assert (event.tag, event.subject_id) == ("job:succeeded", job)
