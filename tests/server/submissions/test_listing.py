"""Lists of submissions, page by page."""

import pytest
from sqlalchemy import event

URL = "/api/v1/submissions"


@pytest.fixture
def five(desk, make_report):
    """Five submissions, the third of another team; their ids from old to new."""
    return [
        desk.post(report=make_report(seed=n), team="Beta" if n == 2 else "Alpha").json()["id"]
        for n in range(5)
    ]


def ids(answer):
    return [one["id"] for one in answer.json()["submissions"]]


def test_from_new_to_old_page_by_page(desk, five):
    first = desk.service.http.get(URL, params={"limit": 3})
    second = desk.service.http.get(URL, params={"limit": 3, "before": first.json()["next"]})

    assert ids(first) + ids(second) == five[::-1]
    assert second.json()["next"] is None


def test_of_a_team(desk, five):
    answer = desk.service.http.get(URL, params={"team": "beta"})

    assert ids(answer) == [five[2]]


def test_of_no_team(desk):
    assert desk.service.http.get(URL, params={"team": "None such"}).status_code == 404


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"before": "x"}])
def test_questions_that_make_no_sense(desk, query):
    assert desk.service.http.get(URL, params=query).status_code == 422


def test_a_token_that_is_sent_must_be_good(desk, five):
    headers = {"Authorization": "Bearer dcp_wrong"}

    assert desk.service.http.get(f"{URL}/{five[0]}", headers=headers).status_code == 401


def test_a_page_costs_as_many_statements_as_one_row(desk, five):
    counted = []
    engine = desk.service.context.database.engine
    event.listen(engine, "before_cursor_execute", lambda *_: counted.append(1))
    costs = []
    for limit in (1, len(five)):
        counted.clear()
        desk.service.http.get(URL, params={"limit": limit})
        costs.append(len(counted))

    assert costs[0] == costs[1] > 0
