"""What may be said of a submission later, and what that changes."""

import pytest

from datacomp_server.kit.errors import Refused
from datacomp_server.submissions import marks, service


def rows(desk):
    return desk.service.http.get("/api/v1/boards/tiny").json()["rows"]


@pytest.fixture
def mark(desk):
    """`mark(id, kind, reason)`: as an organiser."""

    def say(submission_id, kind, reason=None):
        with desk.context.database.writing() as session:
            found = service.get(session, submission_id)
            marks.mark(session, found, kind, reason=reason, by="organiser:Ada", moment=desk.clock())

    return say


class TestWithdrawal:
    def test_stays_struck_out(self, desk, make_report):
        made = desk.post(report=make_report()).json()

        answer = desk.withdraw(made["id"], reason="wrong seed")

        assert answer.status_code == 200
        assert answer.json()["state"] == "accepted"
        (said,) = answer.json()["marks"]
        assert (said["kind"], said["reason"]) == ("withdrawn", "wrong seed")
        (row,) = rows(desk)
        assert (row["withdrawn"], row["rank"], row["attempts"]) == (True, None, 1)
        assert "withdrawn" in desk.service.http.get("/b/tiny").text

    def test_the_rest_of_its_row_goes_on_without_it(self, desk, make_report):
        gone = desk.post(report=make_report(level=0.9)).json()
        desk.post(report=make_report(level=0.3, seed=1))
        desk.withdraw(gone["id"])

        (row,) = rows(desk)

        assert (row["withdrawn"], row["seeds"], row["attempts"]) == (False, [1], 2)
        assert row["average"]["mean"] == pytest.approx(0.3, abs=0.05)

    def test_twice_changes_nothing(self, desk, make_report):
        made = desk.post(report=make_report()).json()

        answers = [desk.withdraw(made["id"], reason=why).json() for why in ("one", "two")]

        assert answers[0]["marks"] == answers[1]["marks"]

    def test_makes_room_for_the_same_report_in_other_words(self, desk, make_report):
        report = make_report()
        first = desk.post(report=report, method="tpyo").json()
        kept = desk.post(report=report, method="typo")
        desk.withdraw(first["id"])

        second = desk.post(report=report, method="typo")

        assert kept.status_code == 409
        assert f"datacomp withdraw {first['id']}" in kept.json()["detail"]
        assert (second.status_code, second.json()["attempt"]) == (201, 2)

    def test_but_not_for_another_team(self, desk, make_report):
        made = desk.post(report=make_report()).json()
        desk.withdraw(made["id"])

        answer = desk.post(report=make_report(), team="Beta")

        assert (answer.status_code, answer.json()["error"]) == (409, "report_of_another_team")

    def test_another_teams_is_as_if_it_were_not(self, desk, make_report):
        made = desk.post(report=make_report()).json()

        answers = [desk.withdraw(one, team="Beta") for one in (made["id"], "0" * 26)]

        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
        assert desk.get(made["id"])["marks"] == []

    def test_reasons_that_mislead(self, desk, make_report):
        made = desk.post(report=make_report()).json()

        answer = desk.withdraw(made["id"], reason="a\u202eb")

        assert (answer.status_code, answer.json()["error"]) == (422, "bad_reason")


def test_a_disqualified_report_cannot_come_back(desk, make_report, mark):
    made = desk.post(report=make_report()).json()
    mark(made["id"], "disqualified", "trained on the test sets")

    answer = desk.post(report=make_report())

    assert (answer.status_code, answer.json()["error"]) == (409, "disqualified")
    assert rows(desk)[0]["rank"] is None


def test_a_baseline_stands_at_its_place_without_a_rank(desk, make_report, mark):
    made = desk.post(report=make_report()).json()
    mark(made["id"], "baseline")

    (row,) = rows(desk)

    assert (row["baseline"], row["rank"]) == (True, None)
    assert "baseline" in desk.service.http.get("/b/tiny").text


def test_a_reason_that_is_too_long(desk, make_report, mark):
    made = desk.post(report=make_report()).json()

    with pytest.raises(Refused, match="1,000"):
        mark(made["id"], "disqualified", "x" * 1001)


def test_its_page_says_why_it_has_no_rank(desk, make_report, mark):
    made = desk.post(report=make_report(), method="a").json()
    desk.post(report=make_report(seed=1), method="b")
    desk.withdraw(made["id"], reason="wrong <seed>")
    again = desk.post(report=make_report(), method="again").json()

    page = desk.service.http.get(f"/s/{made['id']}").text
    assert "Its team withdrew it: wrong &lt;seed&gt;" in page
    later = desk.service.http.get(f"/s/{again['id']}").text
    assert "attempt 3 at tiny" in later
    assert "the same as" in later
