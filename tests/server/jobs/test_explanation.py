"""Why a job waits and until when about: sentences and times worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from datacomp_server.jobs.explanation import how_running, why_waiting
from datacomp_server.jobs.forecast import band, forecast
from datacomp_server.jobs.line import Line, Machine, Running, Waiting, told

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def waiting(name="job", **values):
    facts = {"kind": "train", "resource": "tiny", "pool_id": "p", "team_id": None}
    facts |= {"expected_seconds": 100, "attempt": 0, "max_attempts": 3, "available_at": NOON}
    return Waiting(name, **facts | values)


def running(name="live", *, since=0, beat=0, lease=300, **values):
    facts = {"kind": "train", "resource": "tiny", "team_id": None, "expected_seconds": 100}
    facts |= {"worker": "w1", "begun": True, "cancelling": False}
    moments = {"started_at": after(-since), "last_beat_at": after(-beat)}
    return Running(name, lease_until=after(lease), **moments, **facts | values)


def machine(name="w1", *, classes=("tiny",), pools=("p",), seen=0):
    return Machine(name, frozenset(classes), frozenset(pools), after(-seen))


def line(*jobs, machines=None, durations=None):
    return Line(
        moment=NOON,
        waiting=tuple(job for job in jobs if isinstance(job, Waiting)),
        running=tuple(job for job in jobs if isinstance(job, Running)),
        machines=tuple([machine()] if machines is None else machines),
        durations=durations or {},
        team_limit=2,
        beat_seconds=60,
        retry_seconds=30,
    )


class TestOwnData:
    """Trainings that follow a team's addresses have workers of their own."""

    def why(self, *machines):
        job = waiting(resource="tiny-byod", pool_id=None)
        reason = why_waiting(job, line(job, machines=list(machines)))
        return reason.code, reason.text

    def test_no_worker_may(self):
        told = "no worker that fetches teams' own data at 'tiny' has been seen"

        assert self.why(machine()) == ("no_worker_byod", f"{told} yet")
        away = machine(classes=("tiny", "tiny-byod"), seen=42 * 60)
        assert self.why(away) == ("no_worker_byod", f"{told} for 42 min")

    def test_one_may(self):
        assert self.why(machine(classes=("tiny-byod",)))[0] == "in_line"


class TestWhyWaiting:
    def why(self, job, *others, **facts):
        reason = why_waiting(job, line(*others, job, **facts))
        return reason.code, reason.text

    def test_its_place(self):
        assert self.why(waiting("b"), waiting("a")) == ("in_line", "place 2 of 2 for 'tiny'")

    def test_jobs_of_other_classes_and_those_that_wait_themselves_have_no_place(self):
        others = waiting("a", resource="small"), waiting("c", unmet=("a",))

        assert self.why(waiting("b"), *others)[1] == "place 1 of 1 for 'tiny'"

    def test_another_job(self):
        job = waiting("b", unmet=("a",), resource="service")

        assert self.why(job, running("a")) == (
            "waits_for_job",
            "waits for train job a, which is running",
        )

    def test_the_next_attempt(self):
        job = waiting(attempt=1, available_at=after(90))

        assert self.why(job) == ("retry_later", "attempt 1 failed; attempt 2 of 3 in 90 s")

    def test_what_was_planned_for_later(self):
        job = waiting(available_at=after(3 * 3600))

        assert self.why(job) == ("scheduled", "planned for 3 h from now")

    def test_nobody_takes_its_class(self):
        job = waiting(resource="medium")
        away = machine(classes=("medium",), seen=42 * 60)

        assert self.why(job) == (
            "no_worker_class",
            "no worker that takes 'medium' has been seen yet",
        )
        assert self.why(job, machines=[machine(), away])[1] == (
            "no worker that takes 'medium' has been seen for 42 min"
        )

    def test_nobody_has_its_pool(self):
        machines = [machine(pools=("q",)), machine("w2", seen=3 * 3600)]

        assert self.why(waiting(), machines=machines) == (
            "no_worker_pool",
            "no worker that takes 'tiny' and has pool p has been seen for 3 h",
        )

    def test_its_teams_limit(self):
        mine = [running(name, team_id="t") for name in "xy"]
        service = running("z", team_id="t", resource="service")

        assert self.why(waiting(team_id="t"), *mine) == (
            "team_limit",
            "its team has 2 jobs running, the limit",
        )
        assert self.why(waiting(team_id="t"), mine[0], service)[0] == "in_line"

    def test_its_teams_share(self):
        mine = waiting("b", team_id="t", turn=100, behind=7200)
        later = [waiting(name, turn=200) for name in "cd"]

        assert self.why(mine, waiting("a", turn=50), *later) == (
            "fair_share",
            "place 4 of 4 for 'tiny': its team used 2 h of workers in the last day, so 2 that "
            "came later go first",
        )
        assert self.why(mine, later[0])[1].endswith("so 1 job that came later goes first")

    def test_a_share_that_changes_nothing_is_no_reason(self):
        mine = waiting("b", team_id="t", turn=100, behind=7200)

        assert self.why(mine, waiting("a", turn=50))[0] == "in_line"
        assert self.why(mine, waiting("c", turn=200, resource="small"))[0] == "in_line"

    def test_another_worker_first(self):
        job = waiting(attempt=1, tried=frozenset({"w1"}), available_at=after(-10))

        assert self.why(job) == (
            "elsewhere",
            "attempt 1 failed at w1; another worker may take it first, for 20 s more",
        )
        assert self.why(job, machines=[machine(), machine("w2")])[0] == "in_line"
        late = waiting(attempt=1, tried=frozenset({"w1"}), available_at=after(-31))
        assert self.why(late)[0] == "in_line"

    def test_the_service_does_its_own_jobs(self):
        job = waiting(resource="service", pool_id=None)

        assert self.why(job, machines=[])[0] == "in_line"


@pytest.mark.parametrize(
    ("job", "code", "text"),
    [
        (
            running(since=600, beat=20),
            "running",
            "running for 10 min at w1, last heard of 20 s ago",
        ),
        (running(begun=False, beat=5), "claimed", "w1 took it 5 s ago"),
        (
            running(beat=200, lease=100),
            "silent",
            "w1 was last heard of 3 min ago; tried again if silent for 100 s more",
        ),
        (
            running(beat=400, lease=-1),
            "silent",
            "w1 was last heard of 6 min ago; the job is to be tried again",
        ),
        (
            running(cancelling=True),
            "cancelling",
            "w1 is told to stop at its next beat, last heard of 0 s ago",
        ),
    ],
)
def test_how_running(job, code, text):
    reason = how_running(job, line(job))

    assert (reason.code, reason.text) == (code, text)


class TestForecast:
    """A tiny train job takes 50 to 200 s: half to twice the 100 that are expected."""

    def starts(self, job_id, found):
        span = found[job_id].starts
        return span.earliest - NOON, span.latest - NOON

    def seconds(self, *values):
        return tuple(timedelta(seconds=value) for value in values)

    def test_one_after_the_other_on_one_machine(self):
        found = forecast(line(waiting("a"), waiting("b")))

        assert self.starts("a", found) == self.seconds(0, 0)
        assert self.starts("b", found) == self.seconds(50, 200)
        assert (found["b"].ends.earliest, found["b"].ends.latest) == (after(100), after(400))

    def test_side_by_side_on_two(self):
        found = forecast(line(waiting("a"), waiting("b"), machines=[machine(), machine("w2")]))

        assert self.starts("b", found) == self.seconds(0, 0)

    def test_behind_what_runs(self):
        found = forecast(line(running("r", since=30), waiting("a")))

        assert found["r"].starts is None
        assert self.starts("a", found) == self.seconds(20, 170)

    def test_what_runs_for_longer_than_it_should_may_end_now(self):
        found = forecast(line(running("r", since=1000)))

        assert found["r"].ends.earliest == NOON

    def test_behind_what_it_needs_even_if_that_stands_after_it(self):
        later = waiting("b", resource="service", pool_id=None, unmet=("a",))

        assert self.starts("b", forecast(line(later, waiting("a")))) == self.seconds(50, 200)

    def test_nothing_without_a_machine_nor_for_what_waits_for_that(self):
        job = waiting("a", resource="xlarge")

        assert forecast(line(job, waiting("b", unmet=("a",)))) == {}

    def test_a_team_at_its_limit(self):
        mine = [running("x", since=0, team_id="t"), running("y", since=40, team_id="t", worker="v")]
        machines = [machine(), machine("v"), machine("idle")]

        found = forecast(line(*mine, waiting("a", team_id="t"), machines=machines))

        assert self.starts("a", found) == self.seconds(10, 160)

    def test_past_durations_go_before_what_was_expected(self):
        known = {("tiny", "train"): tuple(range(10, 21))}

        assert band(known["tiny", "train"], 100) == (11, 19)
        assert band((10,) * 4, 100) == (50, 200)
        found = forecast(line(waiting("a"), waiting("b"), durations=known))
        assert self.starts("b", found) == self.seconds(11, 19)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (150, "2 min"), (7200, "2 h"), (3 * 86400, "3 days")],
)
def test_spans_for_people(seconds, text):
    assert told(timedelta(seconds=seconds)) == text
