"""/compare: from ids to one board's rows, to the form, and to clear refusals."""

import re

import pytest


@pytest.fixture
def three(service, make_report):
    """Ids of three methods of the tiny board, two seeds of the first."""
    ids = [
        service.submit(make_report(level=level, seed=seed), method=method).json()["id"]
        for level, seed, method in (
            (0.3, 0, "first <b>one</b>"),
            (0.31, 1, "first <b>one</b>"),
            (0.4, 2, "second"),
            (0.2, 3, "third"),
        )
    ]
    return service, ids


def test_methods_against_the_first(three):
    service, ids = three

    page = service.http.get(f"/compare?ids={ids[0]},{ids[2]}&ids={ids[3]}")

    assert page.status_code == 200
    text = re.sub(r"<[^>]+>", "", page.text)
    assert "3 methods at tiny" in text
    assert "B (second) is above A (first &lt;b&gt;one&lt;/b&gt;) by" in text
    assert "not known: the service has not seen both subsets" in text
    assert "<b>one" not in page.text


def test_any_seed_names_its_method(three):
    service, ids = three

    page = service.http.get(f"/compare?ids={ids[1]},{ids[2]}")

    assert f'href="/s/{ids[0]}"' in page.text


def test_twins_have_every_number(three):
    service, ids = three
    query = f"?ids={ids[0]},{ids[2]}"

    tasks = service.http.get(f"/compare.json{query}").json()
    lines = service.http.get(f"/compare.csv{query}").text.splitlines()
    overlap = service.http.get(f"/compare/overlap.json{query}").json()

    assert len(tasks["rows"]) == len(lines) - 1 == 10
    assert tasks["rows"][0]["b_minus_a"] == pytest.approx(
        tasks["rows"][0]["b"] - tasks["rows"][0]["a"]
    )
    assert overlap["rows"][0]["jaccard"] is None
    assert service.http.get(f"/compare/differences.csv{query}").status_code == 200


def test_with_fewer_there_is_a_form(three):
    service, ids = three

    empty, one = (service.http.get(path).text for path in ("/compare", f"/compare?ids={ids[1]}"))

    assert empty.count('type="checkbox"') == one.count('type="checkbox"') == 3
    assert empty.count(" checked") == 0
    assert "One method is chosen" in one
    assert one.count(" checked") == 1
    assert "There is nothing to compare there" in service.http.get("/compare?scale=small").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("ids=NONE", "no submission"),
        ("id=A", "there are: ids, scale, track"),
        ("ids=A,B,C,D,E,F,G", "7 methods were chosen"),
        ("scale=huge", "no board"),
        ("track=cooking", "no track"),
    ],
)
def test_what_means_nothing_is_said(service, query, words):
    answer = service.http.get(f"/compare?{query}", headers={"Accept": "text/html"})

    assert answer.status_code == 400
    assert words in answer.text


def test_one_board_at_a_time(service, make_report):
    small = make_report(scale="smoke", seed=1)
    ids = [service.submit(report).json()["id"] for report in (make_report(), small)]

    answer = service.http.get(f"/compare?ids={','.join(ids)}")

    assert answer.status_code == 400
    assert "of one board" in answer.text
