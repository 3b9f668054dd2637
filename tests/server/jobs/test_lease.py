"""Claims, beats, ends and expiry of leases, one at a time; races are test_claims' business."""

import pytest

from datacomp_server.jobs.inputs import of_file
from datacomp_server.jobs.outcomes import UserFault
from datacomp_server.kit.errors import Conflict, NotFound, Refused

SHA = "a" * 64


def refuse(session, context, job, outputs, moment):
    raise UserFault("the subset is empty")


class TestClaim:
    def test_nothing_to_do(self, queue):
        assert queue.claim() is None

    def test_a_job_goes_to_one_worker(self, queue):
        job = queue.add()

        lease = queue.claim("w1")

        assert (lease.job.id, lease.job.status, lease.job.attempt) == (job, "leased", 1)
        assert (lease.until - queue.clock()).total_seconds() == 300
        assert queue.claim("w2") is None

    def test_only_of_its_classes_and_pools(self, queue):
        queue.add(resource="medium")
        job = queue.add(pool_id="pool-b")

        assert queue.claim(pools=("pool-a",)) is None
        assert queue.claim(pools=("pool-a", "pool-b")).job.id == job

    def test_oldest_first(self, queue):
        first = queue.add()
        queue.clock.pass_seconds(1)
        queue.add()

        assert queue.claim().job.id == first

    def test_priority_goes_before_an_hour_of_age_a_step(self, queue):
        old = queue.add()
        queue.clock.pass_seconds(3 * 3600)
        queue.add(priority=2)
        very_urgent = queue.add(priority=4)

        assert [queue.claim().job.id for _ in range(2)] == [very_urgent, old]

    def test_a_job_waits_for_what_it_needs(self, queue):
        train = queue.add("train")
        evaluate = queue.add("evaluate", needs=(train,))

        lease = queue.claim()
        assert lease.job.id == train
        assert queue.claim() is None
        queue.finish(lease.id)

        assert queue.claim().job.id == evaluate

    def test_inputs_are_files_and_what_other_jobs_left(self, queue):
        train = queue.add("train")
        sources = {"subset": of_file(SHA), "checkpoint": {"job": train, "role": "checkpoint"}}
        queue.add("evaluate", needs=(train,), params={"inputs": sources})
        lease = queue.claim()
        checkpoint = queue.artifact(lease_id=lease.id)

        queue.finish(lease.id, outputs={"checkpoint": checkpoint})

        assert queue.claim().inputs == {"subset": SHA, "checkpoint": checkpoint}


class TestLimits:
    def test_a_team_runs_two_jobs_at_a_time(self, queue, team):
        alpha, beta = team("Alpha"), team("Beta")
        for _ in range(3):
            queue.add(team_id=alpha)
        other = queue.add(team_id=beta)

        leases = [queue.claim() for _ in range(3)]

        assert leases[2].job.id == other
        assert queue.claim() is None
        queue.finish(leases[0].id)
        assert queue.claim().job.team_id == alpha

    def test_the_services_own_jobs_do_not_count(self, queue, team):
        alpha = team("Alpha")
        for _ in range(3):
            queue.add("check", "service", team_id=alpha)

        assert all(queue.claim(classes=("service",)) for _ in range(3))

    def test_who_used_much_of_late_stands_further_back(self, queue, team):
        alpha, beta = team("Alpha"), team("Beta")
        queue.add(team_id=alpha)
        lease = queue.claim()
        queue.clock.pass_seconds(200)
        queue.finish(lease.id)
        queue.add(team_id=alpha)
        queue.clock.pass_seconds(150)
        later = queue.add(team_id=beta)

        assert queue.claim().job.id == later

    def test_waiting_outweighs_what_was_used(self, queue, team):
        alpha, beta = team("Alpha"), team("Beta")
        queue.add(team_id=alpha)
        lease = queue.claim()
        queue.clock.pass_seconds(200)
        queue.finish(lease.id)
        waiting = queue.add(team_id=alpha)
        queue.clock.pass_seconds(250)
        queue.add(team_id=beta)

        assert queue.claim().job.id == waiting


class TestBeat:
    def test_renews_the_lease_and_tells_how_far_it_is(self, queue):
        job, lease = queue.add(), queue.claim()
        queue.clock.pass_seconds(299)

        beat = queue.beat(lease.id, stage="training", done=3, total=10)

        assert (beat.until - queue.clock()).total_seconds() == 300
        assert not beat.cancel
        found = queue.job(job)
        assert found.status == "running"
        assert found.progress == {"stage": "training", "done": 3, "total": 10}

    def test_late_but_before_anybody_asked_keeps_the_job(self, queue):
        queue.add()
        lease = queue.claim()
        queue.clock.pass_seconds(1000)

        queue.beat(lease.id)

        assert queue.claim("w2") is None

    def test_unknown_lease(self, queue):
        with pytest.raises(NotFound):
            queue.beat("0" * 26)


class TestExpiry:
    def expired(self, queue):
        job, lease = queue.add(), queue.claim("w1")
        queue.clock.pass_seconds(300)
        assert queue.claim("w2") is None  # it is taken back, and tried again after a while
        return job, lease

    def test_the_job_is_queued_again_and_the_attempt_closed(self, queue):
        job, _ = self.expired(queue)

        found = queue.job(job)
        wait = (found.available_at - queue.clock()).total_seconds()
        assert (found.status, found.attempt) == ("queued", 1)
        assert 30 <= wait <= 37.5
        (attempt,) = queue.attempts(job)
        assert (attempt.ending, attempt.fault, attempt.seconds) == (
            "expired",
            "infrastructure",
            300,
        )

    def test_whatever_the_old_worker_writes_is_refused(self, queue):
        job, old = self.expired(queue)
        queue.clock.pass_seconds(38)
        new = queue.claim("w2")

        for write in (queue.beat, queue.finish):
            with pytest.raises(Conflict, match="taken over by w2") as refused:
                write(old.id)
            assert refused.value.error == "lease_lost"
        assert queue.job(job).lease_id == new.id

    def test_another_worker_gets_it_first(self, queue):
        self.expired(queue)
        queue.clock.pass_seconds(38)

        assert queue.claim("w1") is None
        assert queue.claim("w2") is not None

    def test_without_another_worker_the_same_one_gets_it_a_little_later(self, queue):
        self.expired(queue)
        queue.clock.pass_seconds(38 + 30)

        assert queue.claim("w1").job.attempt == 2

    def test_after_the_last_attempt_it_has_failed(self, queue):
        job = queue.add()
        waits = []
        for worker in ("w1", "w2", "w3"):
            queue.clock.pass_seconds(200)
            assert queue.claim(worker) is not None
            queue.clock.pass_seconds(300)
            queue.expire()
            waits.append((queue.job(job).available_at - queue.clock()).total_seconds())

        found = queue.job(job)
        assert (found.status, found.fault) == ("failed", "infrastructure")
        assert found.detail.startswith("3 attempts, the last: worker w3 was last heard of at")
        assert 30 <= waits[0] <= 37.5
        assert 60 <= waits[1] <= 75


class TestFinish:
    def test_success_keeps_what_the_job_left(self, queue):
        job, lease = queue.add(), queue.claim()
        sha256, seen = queue.artifact(lease_id=lease.id), []

        def hook(session, context, job, outputs, moment):
            seen.append((job.id, outputs[0].sha256))

        queue.finish(lease.id, outputs={"checkpoint": sha256}, hooks={"train": hook})

        found = queue.job(job)
        assert (found.status, found.lease_id, found.fault) == ("succeeded", None, None)
        assert seen == [(job, sha256)]

    def test_twice_is_once(self, queue):
        queue.add()
        lease, calls = queue.claim(), []
        hooks = {"train": lambda *_: calls.append(1)}

        statuses = {queue.finish(lease.id, hooks=hooks).status for _ in range(3)}

        assert (statuses, calls) == ({"succeeded"}, [1])

    def test_twice_after_the_job_moved_on(self, queue):
        queue.add()
        first = queue.claim("w1")
        queue.finish(first.id, "infrastructure")
        queue.clock.pass_seconds(40)
        second = queue.claim("w2")

        assert queue.finish(first.id, "infrastructure").lease_id == second.id

    def test_an_output_that_was_not_uploaded_under_this_lease(self, queue):
        job, lease = queue.add(), queue.claim()
        anybodys = queue.artifact()

        with pytest.raises(Refused, match="has not been uploaded") as refused:
            queue.finish(lease.id, outputs={"checkpoint": anybodys})

        assert refused.value.error == "output_missing"
        assert queue.job(job).lease_id == lease.id

    def test_an_output_that_another_job_waits_for(self, queue):
        train = queue.add("train")
        source = {"checkpoint": {"job": train, "role": "checkpoint"}}
        queue.add("evaluate", needs=(train,), params={"inputs": source})

        with pytest.raises(Refused, match="checkpoint is what another job waits for"):
            queue.finish(queue.claim().id)

    def test_a_fault_of_the_user_is_not_tried_again(self, queue):
        job = queue.add()

        queue.finish(queue.claim().id, "user")

        found = queue.job(job)
        assert (found.status, found.fault, found.detail) == ("failed", "user", "because")

    def test_a_fault_found_by_the_hook_undoes_the_outputs(self, queue):
        job, lease = queue.add("filter"), queue.claim()

        outputs = {"subset": queue.artifact(lease_id=lease.id)}
        queue.finish(lease.id, outputs=outputs, hooks={"filter": refuse})

        found = queue.job(job)
        assert (found.status, found.fault) == ("failed", "user")
        assert found.detail == "the subset is empty"
        assert queue.finish(lease.id).status == "failed"

    def test_a_fault_of_the_infrastructure_is_tried_again(self, queue):
        job = queue.add()

        queue.finish(queue.claim().id, "infrastructure")

        found = queue.job(job)
        assert (found.status, found.attempt, found.detail) == ("queued", 1, "because")

    def test_a_job_that_is_given_back_waits_again_and_has_its_tries(self, queue):
        job = queue.add()

        for _ in range(5):
            queue.finish(queue.claim().id, released=True)
            queue.clock.pass_seconds(3600)

        found = queue.job(job)
        assert (found.status, found.fault) == ("queued", None)
        assert {(one.ending, one.fault) for one in queue.attempts(job)} == {("released", None)}
        assert found.max_attempts - found.attempt == 3


class TestDependants:
    def chain(self, queue):
        train = queue.add("train")
        evaluate = queue.add("evaluate", needs=(train,))
        return train, evaluate, queue.add("score", "service", needs=(evaluate,))

    def test_a_failure_cancels_what_waits_for_it(self, queue):
        train, evaluate, score = self.chain(queue)

        queue.finish(queue.claim().id, "user")

        assert [queue.job(one).status for one in (evaluate, score)] == ["cancelled"] * 2
        assert queue.job(evaluate).detail == f"its train job {train} failed"
        assert queue.job(score).detail == f"its evaluate job {evaluate} was cancelled"

    def test_so_does_a_cancellation(self, queue):
        train, evaluate, score = self.chain(queue)

        queue.cancel(train)

        assert [queue.job(one).status for one in (train, evaluate, score)] == ["cancelled"] * 3
        assert queue.job(train).detail == "cancelled by team:Alpha"


class TestCancel:
    def test_a_running_job_is_told_at_the_next_beat(self, queue):
        job, lease = queue.add(), queue.claim()

        queue.cancel(job)

        assert queue.job(job).status == "leased"
        assert queue.beat(lease.id).cancel
        assert queue.finish(lease.id, "infrastructure").status == "cancelled"
        assert queue.attempts(job)[0].ending == "cancelled"
        assert queue.finish(lease.id, "infrastructure").status == "cancelled"

    def test_a_silent_worker_does_not_keep_it_alive(self, queue):
        job = queue.add()
        queue.claim()
        queue.cancel(job)
        queue.clock.pass_seconds(300)

        queue.expire()

        assert (queue.job(job).status, queue.attempts(job)[0].ending) == ("cancelled", "expired")

    def test_twice_is_once(self, queue):
        job = queue.add()

        assert [queue.cancel(job).status for _ in range(2)] == ["cancelled", "cancelled"]

    def test_what_has_ended_stays(self, queue):
        job = queue.add()
        queue.finish(queue.claim().id)

        with pytest.raises(Conflict, match="has ended already: succeeded"):
            queue.cancel(job)
