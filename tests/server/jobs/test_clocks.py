"""A server's clock that jumps, and a service that was away, lose nobody a job."""

from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.audit import nightly
from datacomp_server.jobs import repository, runner
from datacomp_server.jobs.clocks import Absences
from datacomp_server.jobs.models import Job
from datacomp_server.kit.errors import Conflict

DAY, YEAR = 24 * 3600, 365 * 24 * 3600


class TestSetBack:
    def test_what_was_planned_can_be_claimed(self, queue):
        job = queue.add()
        queue.clock.pass_seconds(-YEAR)

        assert queue.claim().job.id == job

    def test_its_turn_is_now(self, queue):
        job = queue.add()
        queue.clock.pass_seconds(-YEAR)
        queue.claim(classes=("other",))
        queue.clock.pass_seconds(1)
        queue.add()

        assert queue.claim().job.id == job

    def test_the_job_of_a_worker_that_is_gone_is_tried_again(self, queue):
        queue.add()
        queue.claim()
        queue.clock.pass_seconds(-YEAR)
        queue.expire()
        queue.clock.pass_seconds(299)
        assert queue.claim("w2") is None
        queue.clock.pass_seconds(1)
        queue.expire()
        queue.clock.pass_seconds(60)

        assert queue.claim("w2") is not None

    def test_a_worker_that_lives_keeps_its_job(self, queue):
        job = queue.add()
        held = queue.claim()
        queue.clock.pass_seconds(-YEAR)
        queue.expire()
        queue.clock.pass_seconds(200)
        queue.beat(held.id)
        queue.clock.pass_seconds(200)
        queue.expire()

        assert queue.finish(held.id).status == "succeeded"
        assert queue.attempts(job)[0].seconds == 0

    def test_another_try_waits_an_hour_and_a_quarter_at_most(self, queue):
        queue.add()
        queue.finish(queue.claim().id, "infrastructure")
        queue.clock.pass_seconds(-YEAR)
        assert queue.claim("w2") is None
        queue.clock.pass_seconds(4500)

        assert queue.claim("w2") is not None

    def test_the_nightly_export_stays_nightly(self, queue):
        with queue.context.database.writing() as session:
            nightly.queue_next(session, queue.clock())
        queue.clock.pass_seconds(-YEAR)
        queue.expire()
        queue.clock.pass_seconds(DAY)

        assert runner.run_one(queue.context, {"export": lambda *_: lambda *_: None})

    def test_the_services_own_jobs_go_on_without_a_worker(self, queue):
        queue.add("check", "service")
        queue.clock.pass_seconds(-YEAR)

        assert runner.run_one(queue.context, {"check": lambda *_: lambda *_: None})

    def test_no_team_gains_by_it(self, queue, team):
        alpha = team("Alpha")
        queue.add(team_id=alpha)
        queue.claim()
        queue.clock.pass_seconds(-DAY)

        with queue.context.database.reading() as session:
            since = queue.clock() - timedelta(days=1)
            assert repository.used_seconds(session, since, queue.clock())[alpha] == 0


class TestAway:
    def test_leases_that_ran_out_meanwhile_begin_anew(self, queue):
        queue.add()
        held = queue.claim()
        queue.clock.pass_seconds(4000)

        runner.Runner(queue.context).forgive_absence()  # as at its start

        assert queue.claim("w2") is None
        queue.beat(held.id)
        queue.clock.pass_seconds(299)
        queue.expire()
        assert queue.finish(held.id).status == "succeeded"

    def test_a_clock_that_jumps_forward_while_it_runs(self, queue):
        thread = runner.Runner(queue.context)
        thread.forgive_absence()
        queue.add()
        held = queue.claim()
        queue.clock.pass_seconds(4000)
        thread.forgive_absence()
        queue.expire()

        assert queue.finish(held.id).status == "succeeded"

    def test_but_a_worker_that_stays_silent_loses_its_job(self, queue):
        job = queue.add()
        held = queue.claim()
        queue.clock.pass_seconds(4000)
        runner.Runner(queue.context).forgive_absence()
        queue.clock.pass_seconds(301)
        queue.expire()

        with pytest.raises(Conflict):
            queue.beat(held.id)
        assert queue.job(job).status == "queued"

    def test_what_is_to_stop_still_is(self, queue):
        job = queue.add()
        held = queue.claim()
        queue.cancel(job)
        queue.clock.pass_seconds(4000)
        runner.Runner(queue.context).forgive_absence()

        assert queue.beat(held.id).cancel


def test_absences():
    now, timer = [datetime(2026, 11, 22, tzinfo=UTC)], [0.0]
    absences = Absences(lambda: now[0], lambda: timer[0], timedelta(seconds=60))

    def found(clock_seconds, timer_seconds):
        now[0] += timedelta(seconds=clock_seconds)
        timer[0] += timer_seconds
        was_away = absences.found()
        absences.over()
        return was_away

    assert absences.found()
    assert found(0, 0)
    assert not found(4000, 4000)
    assert not found(60, 0)
    assert found(61, 0)
    assert not found(-4000, 1)


def test_mending_touches_nothing_that_is_right(queue):
    queue.add()
    queue.add("export", "service")
    queue.claim()
    with queue.context.database.writing() as session:
        nightly.queue_next(session, queue.clock())

    def rows():
        with queue.context.database.reading() as session:
            jobs = session.query(Job).order_by(Job.id)
            return [(j.created_at, j.available_at, j.lease_until, j.turn) for j in jobs]

    before = rows()
    queue.expire()

    assert rows() == before
