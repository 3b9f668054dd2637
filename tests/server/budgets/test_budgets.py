"""The ledger: granted at first use, never overspent, refunded once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from datacomp_server.boards.opening import current_board
from datacomp_server.budgets import service as budgets
from datacomp_server.budgets.models import LedgerEntry
from datacomp_server.identity.repository import team_by_key
from datacomp_server.jobs import service as jobs
from datacomp_server.kit.errors import Refused
from datacomp_server.submissions.models import Submission


class Purse:
    """One team's money on the tiny board."""

    def __init__(self, service):
        self.service, self.context = service, service.context
        service.token()
        with self.context.database.reading() as session:
            self.team_id = team_by_key(session, "alpha").id
            self.board = current_board(session, "filtering", "tiny")

    def spend(self, amount=1, unit="submissions", job_id=None):
        with self.context.database.writing() as session:
            return budgets.charge(
                session,
                team_id=self.team_id,
                board_id=self.board.id,
                unit=unit,
                amount=amount,
                job_id=job_id,
                by="team:Alpha",
                moment=self.context.clock(),
            ).id

    def left(self, unit="submissions"):
        with self.context.database.reading() as session:
            return budgets.balance(session, self.team_id, self.board.id, unit)

    def job(self):
        with self.context.database.writing() as session:
            return jobs.enqueue(
                session,
                kind="train",
                submission=None,
                resource="tiny",
                pool_id=None,
                params={},
                expected_seconds=60,
                by="test",
                moment=self.context.clock(),
                charge_to=None,
            ).id

    def refund(self, job_id):
        with self.context.database.writing() as session:
            return budgets.refund_job(session, job_id, "service", self.context.clock())

    def rows(self):
        with self.context.database.reading() as session:
            return session.scalar(select(func.count()).select_from(LedgerEntry))


@pytest.fixture
def make_purse(make_service: Callable) -> Callable:
    return lambda **settings: Purse(make_service(**settings))


@pytest.fixture
def purse(make_purse):
    return make_purse(default_submissions=3, default_compute_seconds=100)


def test_the_boards_grant_is_there_before_and_written_at_first_use(purse):
    assert (purse.left(), purse.rows()) == (3, 0)
    purse.spend()
    assert (purse.left(), purse.rows()) == (2, 2)
    purse.spend()
    assert (purse.left(), purse.rows()) == (1, 3)


def test_more_than_is_left(purse):
    with pytest.raises(Refused, match="4 submissions needed, 3 submissions left") as caught:
        purse.spend(4)

    assert caught.value.error == "budget_spent"
    assert (purse.left(), purse.rows()) == (3, 0)


def test_units_are_kept_apart(purse):
    purse.spend(100, "compute_seconds")

    assert (purse.left("compute_seconds"), purse.left()) == (0, 3)


def test_a_job_is_refunded_wholly_and_once(purse):
    job = purse.job()
    purse.spend(60, "compute_seconds", job_id=job)

    assert purse.refund(job).amount == 60
    assert purse.refund(job) is None
    assert purse.left("compute_seconds") == 100


def test_what_cost_nothing_is_not_refunded(purse):
    assert purse.refund(purse.job()) is None


def test_refunds_at_once(purse):
    job = purse.job()
    purse.spend(60, "compute_seconds", job_id=job)

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda _: purse.refund(job), range(4)))

    assert sum(one is not None for one in given) == 1
    assert purse.left("compute_seconds") == 100


def test_a_race_for_the_last_unit(make_purse):
    purse = make_purse(default_submissions=1)

    def spend(_):
        try:
            return purse.spend()
        except Refused:
            return None

    with ThreadPoolExecutor(6) as pool:
        spent = list(pool.map(spend, range(6)))

    assert sum(one is not None for one in spent) == 1
    assert purse.left() == 0


def test_two_manifests_with_one_submission_left(make_purse, make_report):
    purse = make_purse(default_submissions=1)
    reports = [make_report(seed=seed) for seed in range(4)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(purse.service.submit, reports))

    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422]
    refused = [answer.json()["error"] for answer in answers if answer.status_code == 422]
    assert refused == ["budget_spent"] * 3
    with purse.context.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 1


def test_a_grant_adds(purse):
    purse.spend(3)
    with purse.context.database.writing() as session:
        amounts = {"submissions": 2, "compute_seconds": 0}
        moment = purse.context.clock()
        budgets.grant(session, "Alpha", purse.board, amounts, by="organiser:Ada", moment=moment)

    assert (purse.left(), purse.left("compute_seconds")) == (2, 100)


def test_over_the_api(purse):
    purse.spend()
    http = purse.service.http

    found = http.get("/api/v1/budgets", params={"team": "Alpha"}).json()

    assert [(one["unit"], one["granted"], one["left"]) for one in found["budgets"]] == [
        ("compute_seconds", 100, 100),
        ("submissions", 3, 2),
    ]
    assert http.get("/api/v1/budgets", params={"team": "None such"}).status_code == 404
