"""The showcase: what it puts into an empty service, and that it leaves any other alone."""

from html.parser import HTMLParser

import pytest

from datacomp.errors import UsageError
from datacomp_server.showcase import fill_showcase
from datacomp_server.showcase.filling import read_json

METHODS = {
    "small": 7,
    "medium": 7,
    "large": 7,
    "xlarge": 4,
}


class Text(HTMLParser):
    """What a page says, without its markup."""

    def __init__(self, html):
        super().__init__()
        self.parts = []
        self.feed(html)

    def handle_data(self, data):
        self.parts.append(data)

    def __str__(self):
        return " ".join(" ".join(self.parts).split())


def board(service, scale):
    return service.http.get(f"/api/v1/boards/{scale}").json()


@pytest.fixture
def filled(service):
    fill_showcase(service.context)
    return service


def test_published_numbers_stand_on_their_boards_without_a_rank(filled):
    for scale, n in METHODS.items():
        rows = board(filled, scale)["rows"]
        assert len(rows) == n
        assert all(row["published"] and row["baseline"] for row in rows)
        assert {row["rank"] for row in rows} == {None}
        assert {(*row["seeds"], *row["submissions"], row["recipe_id"]) for row in rows} == {("",)}


def test_a_published_number_is_that_of_table_3(filled):
    best = board(filled, "medium")["rows"][0]
    assert best["team"] == "DataComp paper"
    assert best["average"] == {
        "mean": 0.328, "stderr": None, "seed_sd": None, "low": 0.328, "high": 0.328
    }  # fmt: skip
    basic = next(r for r in board(filled, "small")["rows"] if r["method"] == "Basic")
    assert {name: cell["mean"] for name, cell in basic["groups"].items()} == {
        "ImageNet": 0.038, "ImageNet dist. shifts": 0.043, "VTAB": 0.15, "Retrieval": 0.118
    }  # fmt: skip
    assert (basic["subset_size"], basic["pool_size"]) == (3_000_000, 12_800_000)


def test_the_runs_of_the_demo_came_in_as_reports(filled):
    rows = {row["method"]: row for row in board(filled, "tiny")["rows"]}
    assert {name: row["seeds"] for name, row in rows.items()} == {key: [0, 1] for key in rows}
    assert {name for name, row in rows.items() if row["baseline"]} == {"no_filter", "random 30%"}
    assert rows["oracle"]["oracle"]
    assert {row["level"] for row in rows.values()} == {"reported"}
    token = filled.http.get("/api/v1/submissions").json()["submissions"][0]
    assert token["team"] == "datacomp demo"


def test_a_published_number_has_a_page_that_says_what_is_not_known(filled):
    row = board(filled, "xlarge")["rows"][0]
    answer = filled.http.get(f"/s/{row['id']}")
    assert answer.status_code == 200
    assert 'href="https://arxiv.org/abs/2304.14108"' in answer.text
    text = str(Text(answer.text))
    assert "Table 3" in text
    assert "0.663" in text
    assert "1.4B" in text
    assert "Why it is not ranked" in text
    assert filled.http.get(f"/api/v1/submissions/{row['id']}").status_code == 404


def test_no_token_of_the_showcase_is_left(filled):
    from datacomp_server.identity.service import list_tokens

    with filled.context.database.reading() as session:
        assert all(token.revoked_at is not None for token in list_tokens(session))


def test_a_service_that_holds_anything_is_left_alone(service):
    service.token("Alpha")
    with pytest.raises(UsageError, match="1 in team"):
        fill_showcase(service.context)
    assert board(service, "small")["rows"] == []
    assert board(service, "tiny")["rows"] == []


def test_it_is_filled_once(filled):
    with pytest.raises(UsageError, match="25 in published"):
        fill_showcase(filled.context)


def test_the_committed_data_is_small():
    assert len(str(read_json("tiny.json"))) < 300_000
