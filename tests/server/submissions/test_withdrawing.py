"""Withdrawing ends the work that a submission has caused; what still comes in changes nothing."""

import pytest

from datacomp_server.jobs import lease
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.costs import COSTS
from datacomp_server.jobs.lease import Finish
from datacomp_server.jobs.outcomes import Output
from datacomp_server.jobs.policy import Policy
from datacomp_server.jobs.runner import run_one
from datacomp_server.submissions import marks, service
from datacomp_server.submissions.checking import check

TRAINING = COSTS["tiny"].train + COSTS["tiny"].evaluate


@pytest.fixture
def subset(make_subset):
    """A file of 50 uids."""
    return make_subset(range(50))[0]


@pytest.fixture
def accepted(desk, subset):
    """The id of a subset that waits to be trained on: train, evaluate, score."""
    return desk.hand_in(subset, kind="subset", scale="tiny", pool_id="p")["id"]


def jobs(desk, submission_id):
    """Kind and status of every job."""
    return [(job.kind, job.status) for job in desk.get_jobs(submission_id)]


def spent(desk):
    """Worker seconds that Alpha has paid and not got back."""
    found = desk.service.http.get("/api/v1/budgets", params={"team": "Alpha"}).json()["budgets"]
    (one,) = [one for one in found if one["unit"] == "compute_seconds"]
    return one["granted"] - one["left"]


def claim(desk):
    asker = Asker("w1", ("tiny",), ("p",))
    with desk.context.database.writing() as session:
        policy = Policy.of(desk.context.settings)
        return lease.claim(session, policy, asker, moment=desk.clock())


def beat(desk, lease_id):
    with desk.context.database.writing() as session:
        policy = Policy.of(desk.context.settings)
        return lease.beat(session, policy, lease_id, None, moment=desk.clock())


def finish(desk, lease_id, *outputs, **said):
    with desk.context.database.writing() as session:
        told = Finish(said.pop("fault", None), None, outputs, **said)
        return lease.finish(session, desk.context, lease_id, told, moment=desk.clock())


def test_what_waits_is_cancelled_and_refunded(desk, accepted):
    assert spent(desk) == TRAINING

    assert desk.withdraw(accepted, reason="wrong <file>").status_code == 200

    page = desk.service.http.get(f"/s/{accepted}").text
    assert "Withdrawn: <bdi>wrong &lt;file&gt;</bdi>" in page
    assert "nothing more is done for it" in page
    assert sorted(jobs(desk, accepted)) == [
        ("check", "succeeded"),
        ("evaluate", "cancelled"),
        ("score", "cancelled"),
        ("train", "cancelled"),
    ]
    assert spent(desk) == 0
    (train,) = [job for job in desk.get_jobs(accepted) if job.kind == "train"]
    assert train.detail == "its submission was withdrawn by team:Alpha"
    assert claim(desk) is None


def test_what_runs_is_told_to_stop_and_leaves_nothing(desk, accepted):
    held = claim(desk)

    desk.withdraw(accepted)

    assert spent(desk) == COSTS["tiny"].train  # it had begun
    assert beat(desk, held.id).cancel
    ended = finish(desk, held.id, Output("checkpoint", "e" * 64), Output("run", "f" * 64))
    assert (ended.status, spent(desk)) == ("cancelled", COSTS["tiny"].train)
    assert {status for kind, status in jobs(desk, accepted) if kind != "check"} == {"cancelled"}


@pytest.mark.parametrize("end", ["infrastructure", "released", "expired"])
def test_what_runs_is_not_tried_again(desk, accepted, end):
    held = claim(desk)
    desk.withdraw(accepted)

    if end == "expired":
        desk.clock.pass_seconds(301)
    else:
        fault = "infrastructure" if end == "infrastructure" else None
        finish(desk, held.id, fault=fault, released=end == "released")
    desk.clock.pass_seconds(4000)

    assert claim(desk) is None
    assert {status for kind, status in jobs(desk, accepted) if kind != "check"} == {"cancelled"}


def test_a_check_that_ends_after_it_gives_no_verdict(desk, run):
    report, subset, weights = run
    posted = desk.post(subset, weights, report=report).json()
    for file in (subset, weights):
        desk.upload(posted, file)

    def withdrawn_meanwhile(context, work):
        apply = check(context, work)
        desk.withdraw(posted["id"])
        return apply

    assert run_one(desk.context, {"check": withdrawn_meanwhile})

    assert jobs(desk, posted["id"]) == [("check", "cancelled")]
    assert desk.service.http.get("/api/v1/boards/tiny").json()["rows"] == []
    found = desk.get(posted["id"])
    assert (found["state"], found["average"]["value"]) == ("unchecked", None)


def test_files_that_come_after_it_are_not_checked(desk, run):
    report, subset, weights = run
    posted = desk.post(subset, weights, report=report).json()
    desk.upload(posted, subset)
    desk.withdraw(posted["id"])

    assert desk.upload(posted, weights).status_code == 200

    assert desk.get_jobs(posted["id"]) == []


def test_nothing_more_is_planned_for_it(desk, accepted):
    desk.withdraw(accepted)

    answer = desk.service.http.post(
        f"/api/v1/submissions/{accepted}/verification",
        json={"level": "re-trained"},
        headers=desk.service.auth(),
    )

    assert (answer.status_code, answer.json()["error"]) == (422, "withdrawn")
    assert spent(desk) == 0


def test_twice_changes_nothing(desk, accepted):
    desk.withdraw(accepted)
    before = desk.service.http.get("/api/v1/budgets", params={"team": "Alpha"}).json()
    events = desk.count_events()

    desk.withdraw(accepted)

    assert desk.service.http.get("/api/v1/budgets", params={"team": "Alpha"}).json() == before
    assert desk.count_events() == events


def test_disqualifying_does_the_same(desk, accepted):
    with desk.context.database.writing() as session:
        found = service.get(session, accepted)
        marks.mark(session, found, "disqualified", by="organiser:Ada", moment=desk.clock())

    assert {status for kind, status in jobs(desk, accepted) if kind != "check"} == {"cancelled"}
    assert spent(desk) == 0


def test_other_marks_end_nothing(desk, accepted):
    with desk.context.database.writing() as session:
        found = service.get(session, accepted)
        marks.mark(session, found, "challenged", by="organiser:Ada", moment=desk.clock())

    assert claim(desk) is not None
