"""What keeps a submission without numbers from going on is told where people look."""

import pytest
from sqlalchemy import event

from datacomp_server.boards.opening import current_board
from datacomp_server.budgets import service as budgets
from datacomp_server.jobs import lease
from datacomp_server.jobs.claiming import Asker
from datacomp_server.jobs.lease import Finish
from datacomp_server.jobs.policy import Policy


@pytest.fixture
def make_submission(make_desk, make_subset):
    """`make_submission(seconds)`: a desk where teams have so many, and an accepted subset's id."""

    def make(seconds, **settings):
        desk = make_desk(default_compute_seconds=seconds, **settings)
        file, _ = make_subset(range(50))
        return desk, desk.hand_in(file, kind="subset", scale="tiny", pool_id="p")["id"]

    return make


def grant(desk, seconds):
    with desk.context.database.writing() as session:
        board, amounts = current_board(session, "filtering", "tiny"), {"compute_seconds": seconds}
        moment = desk.clock()
        budgets.grant(session, "Alpha", board, amounts, by="organiser:Ada", moment=moment)


def request_training(desk, submission_id):
    return desk.service.http.post(
        f"/api/v1/submissions/{submission_id}/verification",
        json={"level": "re-trained"},
        headers=desk.service.auth(),
    )


def claim(desk):
    with desk.context.database.writing() as session:
        policy = Policy.of(desk.context.settings)
        return lease.claim(session, policy, Asker("w1", ("tiny",), ("p",)), moment=desk.clock())


def test_a_training_that_the_budget_does_not_pay(make_submission):
    desk, submission_id = make_submission(360)

    found = desk.get(submission_id)

    assert (found["state"], found["notice"]["code"]) == ("accepted", "budget_spent")
    assert found["notice"]["text"] == (
        "No worker trains on it: a training costs 0.12 worker hours, its team has 0.10 worker "
        "hours left on the board tiny (filtering). An organiser can grant more; then its team can "
        "ask for the training."
    )
    assert found["notice"]["command"] == f"datacomp request {submission_id} re-trained"
    page = desk.service.http.get(f"/s/{submission_id}").text
    assert "its team has 0.10 worker hours left" in page
    assert "until an organiser" not in page
    (listed,) = desk.service.http.get("/api/v1/submissions").json()["submissions"]
    assert listed["notice"] == found["notice"]


def test_once_more_was_granted_its_team_asks_and_pays(make_submission):
    desk, submission_id = make_submission(360)
    grant(desk, 60)
    assert desk.get(submission_id)["notice"]["code"] == "not_trained"

    assert request_training(desk, submission_id).status_code == 201

    assert desk.get(submission_id)["notice"] is None
    assert "until an organiser" in desk.service.http.get(f"/s/{submission_id}").text
    assert request_training(desk, submission_id).status_code == 409


def test_many_cost_no_more_statements(make_submission, make_subset):
    desk, _ = make_submission(60)
    for n in (40, 30):
        desk.hand_in(make_subset(range(n))[0], kind="subset", scale="tiny", pool_id="p")
    counted, costs = [], []
    engine = desk.context.database.engine
    event.listen(engine, "before_cursor_execute", lambda *_: counted.append(1))
    for limit in (1, 3):
        counted.clear()
        found = desk.service.http.get("/api/v1/submissions", params={"limit": limit}).json()
        assert {one["notice"]["code"] for one in found["submissions"]} == {"budget_spent"}
        costs.append(len(counted))

    assert costs[0] == costs[1]


def test_costs_are_the_organisers(make_submission):
    costs = {"tiny": {"train": 3600, "evaluate": 1800}}
    desk, submission_id = make_submission(3600, job_costs=costs)

    assert "a training costs 1.50 worker hours" in desk.get(submission_id)["notice"]["text"]
    grant(desk, 1800)
    request_training(desk, submission_id)
    left = desk.service.http.get("/api/v1/budgets", params={"team": "Alpha"}).json()["budgets"]
    assert [one["left"] for one in left if one["unit"] == "compute_seconds"] == [0]


def test_a_training_that_failed(make_submission):
    desk, submission_id = make_submission(840)
    held = claim(desk)
    with desk.context.database.writing() as session:
        said = Finish("user", "loss_not_finite")
        lease.finish(session, desk.context, held.id, said, moment=desk.clock())

    notice = desk.get(submission_id)["notice"]

    assert notice["code"] == "not_trained"
    assert f"Its train job {held.job.id} failed, by fault of what was submitted" in notice["text"]
    assert "loss_not_finite" not in notice["text"]


def test_what_has_numbers_or_is_under_way_has_none(make_submission, make_report):
    desk, submission_id = make_submission(420)
    reported = desk.post(report=make_report(seed=3)).json()

    assert desk.get(submission_id)["notice"] is None
    assert reported["notice"] is None
