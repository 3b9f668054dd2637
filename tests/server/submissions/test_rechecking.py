"""A check that fails by nobody's fault: told, given back, and done again when asked for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from datacomp_server.identity.models import Account
from datacomp_server.identity.service import create_organiser_token
from datacomp_server.jobs import service as jobs
from datacomp_server.jobs.runner import run_one
from datacomp_server.submissions import rechecking, service


def broken(context, work):
    raise OSError("the disk is gone")


def fail_for_good(desk):
    """Let the check that waits fail three times."""
    for _ in range(3):
        desk.clock.pass_seconds(4000)
        assert run_one(desk.context, {"check": broken})


def left(desk):
    found = desk.service.http.get("/api/v1/budgets", params={"team": "Alpha"}).json()["budgets"]
    (one,) = [one["left"] for one in found if one["unit"] == "submissions"]
    return one


def ask(desk, submission_id, team="Alpha", headers=None):
    return desk.service.http.post(
        f"/api/v1/submissions/{submission_id}/check", headers=headers or desk.service.auth(team)
    )


@pytest.fixture
def posted(make_desk, run):
    """A desk where each team has five submissions, and one of them that waits for its check."""
    desk = make_desk(default_submissions=5)
    report, *files = run
    found = desk.post(*files, report=report).json()
    for file in files:
        desk.upload(found, file)
    return desk, found["id"]


@pytest.fixture
def unchecked(posted):
    """The same, after the check has failed for good."""
    fail_for_good(posted[0])
    return posted


def checks(desk, submission_id):
    return [job for job in desk.get_jobs(submission_id) if job.kind == "check"]


def test_it_is_told_and_given_back(posted):
    desk, submission_id = posted
    assert (left(desk), desk.get(submission_id)["state"]) == (4, "checking")

    fail_for_good(desk)

    found = desk.get(submission_id)
    assert (found["state"], found["notice"]["code"]) == ("unchecked", "check_failed")
    assert "3 attempts, the last: the service itself failed" in found["notice"]["text"]
    assert found["notice"]["command"] == f"datacomp request {submission_id} checked"
    assert left(desk) == 5
    page = desk.service.http.get(f"/s/{submission_id}").text
    assert "Unchecked" in page
    assert "datacomp request" in page


def test_until_its_last_attempt_nothing_is_given_back(posted):
    desk, submission_id = posted
    run_one(desk.context, {"check": broken})

    assert (left(desk), desk.get(submission_id)["state"]) == (4, "checking")
    assert desk.get(submission_id)["notice"] is None
    assert ask(desk, submission_id).json()["error"] == "not_unchecked"


def test_its_team_has_it_checked_again(unchecked):
    desk, submission_id = unchecked

    answer = ask(desk, submission_id)

    assert (answer.status_code, answer.json()["state"]) == (200, "checking")
    assert left(desk) == 4
    desk.check()
    found = desk.get(submission_id)
    assert (found["state"], found["notice"]) == ("accepted", None)
    assert len(desk.service.http.get("/api/v1/boards/tiny").json()["rows"]) == 1


def test_it_may_fail_again_and_be_given_back_again(unchecked):
    desk, submission_id = unchecked
    for _ in range(2):
        assert (left(desk), ask(desk, submission_id).status_code) == (5, 200)
        fail_for_good(desk)

    assert (left(desk), len(checks(desk, submission_id))) == (5, 3)


def test_asked_eight_times_at_once(unchecked):
    desk, submission_id = unchecked

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(desk, submission_id), range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert (left(desk), len(checks(desk, submission_id))) == (4, 2)


def test_an_organiser_does_so_for_nothing(unchecked):
    desk, submission_id = unchecked
    with desk.context.database.writing() as session:
        ada = Account(name="Ada", key="ada", password_hash="-", organiser=True)
        session.add(ada)
        session.flush()
        token = create_organiser_token(session, ada, moment=desk.clock())

    answer = ask(desk, submission_id, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, left(desk)) == (200, 5)
    fail_for_good(desk)
    assert left(desk) == 5
    with desk.context.database.writing() as session:
        found = service.get(session, submission_id)
        rechecking.check_again(session, found, by="organiser:Ada", moment=desk.clock())
    desk.check()
    assert (desk.get(submission_id)["state"], left(desk)) == ("accepted", 5)


def test_a_budget_that_was_spent_meanwhile(unchecked, make_report):
    desk, submission_id = unchecked
    for seed in range(5):
        desk.post(report=make_report(seed=100 + seed))

    answer = ask(desk, submission_id)

    assert (answer.status_code, answer.json()["error"]) == (422, "budget_spent")
    assert len(checks(desk, submission_id)) == 1
    assert desk.get(submission_id)["state"] == "unchecked"


def test_it_keeps_its_place(unchecked, run):
    desk, submission_id = unchecked
    report, *files = run

    again = desk.post(*files, report=report)

    assert (again.status_code, again.json()["id"]) == (200, submission_id)
    assert again.json()["state"] == "unchecked"
    assert desk.post(*files, report=report, method="other").status_code == 409


def test_a_check_that_was_cancelled_is_not_paid_again(posted):
    desk, submission_id = posted
    (check,) = checks(desk, submission_id)
    with desk.context.database.writing() as session:
        jobs.cancel(session, jobs.get(session, check.id), "organiser:Ada", desk.clock())

    found = desk.get(submission_id)

    assert (found["state"], found["notice"]["code"]) == ("unchecked", "check_cancelled")
    assert found["notice"]["text"] == "The check of its files was cancelled by organiser:Ada."
    assert (ask(desk, submission_id).status_code, left(desk)) == (200, 4)


def test_what_cannot_be_asked_for(unchecked, make_report):
    desk, submission_id = unchecked
    accepted = desk.post(report=make_report(seed=50)).json()["id"]

    assert ask(desk, accepted).json()["error"] == "not_unchecked"
    assert ask(desk, submission_id, team="Beta").status_code == 404
    desk.withdraw(submission_id)
    assert ask(desk, submission_id).json()["error"] == "withdrawn"
    assert desk.get(submission_id)["notice"] is None
    assert left(desk) == 4  # the other one
