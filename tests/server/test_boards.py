"""Boards as data and as pages: what a visitor gets; layout is tests/browser's business."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from sqlalchemy import select, update

from datacomp.reports import load_suite
from datacomp_server.boards.schemas import RankingOut, RowOut, SpreadOut
from datacomp_server.submissions.models import Result, Submission
from datacomp_server.verification.models import Evidence

PAYLOAD = "<b>bold</b><script>alert(1)</script>"


class Document(HTMLParser):
    """Tags, rows of tables (cells as text) but those of charts, attributes, and inline scripts."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.rows, self.attributes, self.inline = [], [], [], []
        self._cell = self._chart = self._script = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._script = tag in ("script", "style")
        self._chart = self._chart or tag == "figure"
        if tag == "tr" and not self._chart:
            self.rows.append([])
        if tag in ("td", "th") and not self._chart:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._script = False
        if tag == "figure":
            self._chart = False
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        if self._script:
            self.inline.append(data)
        if self._cell:
            self.rows[-1][-1] += data


def places_and_methods(html):
    """Rank and method of each line of a board's table, its heading first."""
    rows = [row for row in Document(html).rows if len(row) > 2]
    return [(row[1].strip(), re.split(r" |Alpha|Beta|Gamma", row[2].strip())[0]) for row in rows]


@pytest.fixture
def filled(service, make_report, make_lock):
    """Four methods; `clip` has two seeds, `oracle` uses the truth. A worker evaluated all."""
    service.submit(make_report(level=0.1), method="none")
    for seed, level in ((0, 0.3), (1, 0.32)):
        service.submit(make_report(level=level, seed=seed), method="clip")
    oracle = make_report(level=0.5)
    service.submit(oracle, method="oracle", lock=make_lock(oracle, uses_truth=True))
    service.submit(make_report(level=0.2), method="other", team="Beta")
    with service.context.database.writing() as session:
        for submission in session.scalars(select(Submission)).unique():
            session.add(Evidence(submission_id=submission.id, kind="evaluation", facts={}))
    return service


@pytest.fixture
def unverified(filled, make_report):
    """`filled`, and above it a method that nobody measured again."""
    filled.submit(make_report(level=0.45, seed=9), method="claimed", team="Gamma")
    return filled


class TestBoardJson:
    def test_unknown_scale(self, service):
        answer = service.http.get("/api/v1/boards/gigantic")

        assert answer.status_code == 404
        assert "xlarge" in answer.json()["detail"]

    def test_empty(self, service):
        board = service.http.get("/api/v1/boards/small").json()

        assert (board["rows"], board["updated_at"]) == ([], None)

    def test_ranks_seeds_and_oracle(self, filled):
        rows = filled.http.get("/api/v1/boards/tiny").json()["rows"]

        assert [(r["method"], r["rank"]) for r in rows] == [
            ("oracle", None),
            ("clip", 1),
            ("other", 2),
            ("none", 3),
        ]
        assert rows[1]["seeds"] == [0, 1]
        assert len(rows[1]["submissions"]) == 2
        assert rows[1]["average"]["low"] < rows[1]["average"]["mean"] < rows[1]["average"]["high"]

    def test_what_nobody_measured_again_holds_no_rank_1_to_3(self, unverified):
        rows = unverified.http.get("/api/v1/boards/tiny").json()["rows"]

        assert [(r["method"], r["rank"], r["level"]) for r in rows[1:3]] == [
            ("claimed", None, "reported"),
            ("clip", 1, "re-evaluated"),
        ]

    def test_sorting_leaves_ranks_alone(self, filled):
        rows = filled.http.get("/api/v1/boards/tiny", params={"sort": "method"}).json()["rows"]

        assert [(r["method"], r["rank"]) for r in rows] == [
            ("clip", 1),
            ("none", 3),
            ("oracle", None),
            ("other", 2),
        ]

    def test_unknown_column(self, filled):
        answer = filled.http.get("/api/v1/boards/tiny?sort=avrage")

        assert answer.status_code == 400
        assert "Did you mean 'average'" in answer.json()["detail"]

    def test_it_is_what_the_api_describes(self, filled):
        board = filled.http.get("/api/v1/boards/tiny").json()
        row = board["rows"][0]

        assert board.keys() == RankingOut.model_fields.keys()
        assert row.keys() == RowOut.model_fields.keys()
        assert row["average"].keys() == SpreadOut.model_fields.keys()
        assert RankingOut.model_validate(board).rows[0].groups.keys() == row["groups"].keys()

    def test_twin_of_the_page(self, filled):
        twin = filled.http.get("/b/tiny.json?sort=team").json()
        api = filled.http.get("/api/v1/boards/tiny?sort=team").json()

        assert [row["id"] for row in twin["rows"]] == [row["id"] for row in api["rows"]]
        assert twin["rows"][0]["average"] == api["rows"][0]["average"]["mean"]


class TestOlderSuite:
    def test_its_reports_are_left_out_and_counted(self, filled, monkeypatch):
        older = filled.http.get("/api/v1/boards/tiny").json()["rows"][1]["id"]
        newer = load_suite("tiny").model_copy(update={"groups": ()})
        for module in ("service", "data", "opening"):
            monkeypatch.setattr(f"datacomp_server.boards.{module}.load_suite", lambda name: newer)

        assert filled.http.get("/api/v1/boards/tiny").json()["rows"] == []
        assert "Left out" not in filled.http.get("/b/small").text
        page = filled.http.get("/b/tiny").text
        assert "Left out:</strong> 5 submissions" in page
        assert "older suite" in filled.http.get(f"/s/{older}").text


class TestBoardCsv:
    def test_rows_in_the_order_of_the_page(self, filled):
        answer = filled.http.get("/b/tiny.csv?sort=-method")
        rows = list(csv.DictReader(io.StringIO(answer.text)))

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert [row["method"] for row in rows] == ["other", "oracle", "none", "clip"]
        assert rows[3]["seeds"] == "0 1"

    @pytest.mark.parametrize("start", ["=", "+", "-", "@"])
    def test_formulas_are_made_inert(self, service, make_report, start):
        service.submit(make_report(), method=f"{start}1+1", team=f"{start}team")
        (row,) = csv.DictReader(io.StringIO(service.http.get("/b/tiny.csv").text))

        assert (row["method"], row["team"]) == (f"'{start}1+1", f"'{start}team")


class TestBoardPage:
    def test_one_line_a_method(self, filled):
        _, *lines = places_and_methods(filled.http.get("/b/tiny").text)

        assert [method for _, method in lines] == ["oracle", "clip", "other", "none"]
        assert [place for place, _ in lines] == ["◆", *["1–3"] * 3]

    def test_who_measured_is_shown(self, unverified):
        html = unverified.http.get("/b/tiny").text
        page = Document(html)
        column = next(i for i, cell in enumerate(page.rows[0]) if "Verified" in cell)
        rows = [row for row in page.rows[1:] if len(row) > column]

        assert [row[column].strip() for row in rows[:3]] == [
            "● re-evaluated",
            "○ reported",
            "● re-evaluated",
        ]
        assert [place for place, _ in places_and_methods(html)[1:4]] == ["◆", "○", "1–3"]

    def test_sorted_column_is_announced(self, filled):
        page = Document(filled.http.get("/b/tiny?sort=team").text)

        assert [value for name, value in page.attributes if name == "aria-sort"] == ["ascending"]

    def test_empty_board_says_how_to_begin(self, service):
        assert "datacomp submit" in service.http.get("/b/medium").text

    def test_names_are_text_not_markup(self, service, make_report):
        out = service.submit(
            make_report(), method=PAYLOAD, team="<i>team</i>", description="<img src=x>"
        ).json()
        for path in ("/", "/b/tiny", out["page"]):
            html = service.http.get(path).text
            assert not {"b", "i"} & set(Document(html).tags)
            assert "<script>" not in html
            assert "&lt;b&gt;bold" in html
            assert "src=x>" not in html

    def test_no_style_or_script_inside_the_pages(self, filled):
        out = filled.http.get("/api/v1/boards/tiny").json()["rows"][0]
        for path in ("/", "/b/tiny", f"/s/{out['id']}", "/b/none"):
            page = Document(filled.http.get(path, headers={"Accept": "text/html"}).text)
            assert "style" not in page.tags
            assert page.inline == []
            names = {name for name, _ in page.attributes}
            assert not {n for n in names if n == "style" or n.startswith("on")}


class TestHomePage:
    def test_without_any_report(self, service):
        assert "No report has come in yet" in service.http.get("/").text

    def test_leaders_are_ranked_methods(self, filled):
        page = Document(filled.http.get("/").text)

        assert [row[1].split("Alpha")[0].strip() for row in page.rows[1:]] == [
            "clip",
            "otherBeta",
            "none",
        ]


class TestSubmissionPage:
    def test_unknown(self, service):
        answer = service.http.get("/s/none", headers={"Accept": "text/html"})

        assert answer.status_code == 404
        assert "<!doctype html>" in answer.text

    def test_every_task_seed_and_hash(self, filled, make_report):
        row = filled.http.get("/api/v1/boards/tiny").json()["rows"][1]
        html = filled.http.get(f"/s/{row['id']}").text
        report = make_report()

        page = Document(html)
        assert len(page.rows) == 1 + len(report.tasks)
        assert report.run.checkpoint_sha256 in html
        assert "1 of 3" in html
        for submission in row["submissions"]:
            assert ("href", f"/s/{submission}") in page.attributes

    def test_why_it_is_ranked(self, filled):
        row = filled.http.get("/api/v1/boards/tiny").json()["rows"][1]
        html = filled.http.get(f"/s/{row['id']}").text

        assert "Why it is ranked" in html
        assert "ranks 1 to 3 are open to it" in html

    def test_why_it_is_not_ranked(self, unverified):
        row = unverified.http.get("/api/v1/boards/tiny").json()["rows"][1]
        html = unverified.http.get(f"/s/{row['id']}").text

        assert "Why it is not ranked" in html
        assert "is only reported: ranks 1 to 3 are for" in html

    def test_the_same_numbers_elsewhere_are_shown(self, filled, make_report):
        twins = [
            filled.submit(make_report(level=0.21, seed=seed), method=f"twin {seed}").json()["id"]
            for seed in (5, 6)
        ]
        with filled.context.database.writing() as session:
            session.execute(
                update(Result).values(vector_sha256="a" * 64).where(Result.submission_id.in_(twins))
            )

        page = Document(filled.http.get(f"/s/{twins[0]}").text)
        assert ("href", f"/s/{twins[1]}") in page.attributes
