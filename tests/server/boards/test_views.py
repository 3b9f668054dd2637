"""Every public page and every twin that it has, walked from the one list of them."""

import io
import json

import pyarrow.parquet as pq
import pytest

from datacomp_leaderboard.charting.drawing import FORMS
from datacomp_server.boards import rendering, views
from datacomp_server.boards.data import Kept, Source
from datacomp_server.boards.made import FOR_TABLES, View
from datacomp_server.boards.views import PAGES, views_of
from datacomp_server.jobs.models import Job

JOB = "0" * 25 + "J"
# a page of every pattern, of those that a service with one submission has
EXAMPLES = {
    "/": "/",
    "/b/{scale}": "/b/tiny",
    "/compare": "/compare",
    "/s/{submission_id}": "/s/{id}",
    "/j/{job_id}": f"/j/{JOB}",
    "/feed.atom": "/feed.atom",
    "/badge/{id}.svg": "/badge/{id}.svg",
    "/embed/b/{scale}": "/embed/b/tiny",
    "/scaling": "/scaling",
    "/t": "/t",
    "/t/{task:path}": "/t/wilds/fmow",
} | {
    path: path
    for path in (
        *("/queue", "/log", "/docs", "/docs/rules", "/docs/methods"),
        *("/docs/submit", "/docs/api"),
    )
}


def base_of(path):
    return "/index" if path == "/" else path


def made(service, path):
    pattern, params = views.match(path)
    context = service.context
    with context.database.reading() as session:
        moment = context.clock()
        source = Source(session, context.artifacts, context.settings, moment, (), Kept())
        page = PAGES[pattern](source, params, ())
        return page, list(page.every_table())


@pytest.fixture
def filled(service, make_report):
    service.submit(make_report(level=0.3), method="=mine")
    with service.context.database.writing() as session:
        facts = {"params": {}, "max_attempts": 3, "expected_seconds": 1, "turn": 0}
        session.add(Job(id=JOB, kind="train", resource="tiny", status="queued", **facts))
    return service


def test_every_pattern_has_an_example():
    assert EXAMPLES.keys() == PAGES.keys()


@pytest.mark.parametrize("pattern", PAGES)
def test_every_page_and_all_its_twins(filled, pattern):
    newest = filled.http.get("/api/v1/submissions").json()["submissions"][0]["id"]
    path = EXAMPLES[pattern].format(id=newest)
    page, tables = made(filled, path)

    assert filled.http.get(path).headers["content-type"] == page.media_type
    own = [(base_of(path), tables[0])] if tables else []
    named = [(f"{base_of(path)}/{one.name}", one) for one in tables]
    drawn = [(f"{base_of(path)}/{chart.name}", chart.table) for chart in page.charts]
    for chart in page.charts:
        for form, media_type in FORMS.items():
            answer = filled.http.get(f"{base_of(path)}/{chart.name}.{form}")
            assert answer.headers["content-type"].startswith(media_type), chart.name
    for address, table in (*own, *named, *drawn):
        answers = {form: filled.http.get(f"{address}.{form}") for form in FOR_TABLES}
        assert {one.status_code for one in answers.values()} == {200}, address
        keys = [column.key for column in table.columns]
        assert len(set(keys)) == len(keys), address
        assert answers["csv"].text.split("\r\n", 1)[0].split(",") == keys
        assert len(json.loads(answers["json"].text)["rows"]) == len(table.rows)
        found = pq.read_table(io.BytesIO(answers["parquet"].content))
        assert (found.column_names, found.num_rows) == (keys, len(table.rows))


@pytest.mark.parametrize("pattern", PAGES)
def test_what_means_nothing_in_a_query_is_refused(service, pattern):
    answer = service.http.get(EXAMPLES[pattern], params={"nonsense": "1"})

    assert answer.status_code == 400
    assert "nonsense" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/b/tiny/none.csv", "/b/none.csv", "/b/tiny.xml", "/none.csv", "/.csv", "/index"]
)
def test_what_is_not_there(service, path):
    assert service.http.get(path).status_code == 404


def test_a_file_is_saved_under_the_name_of_its_page(filled):
    answer = filled.http.get("/b/tiny.parquet?sort=team")

    assert answer.headers["content-disposition"] == 'attachment; filename="tiny.parquet"'
    assert "content-disposition" not in filled.http.get("/b/tiny.json").headers


def test_an_address_may_be_a_page_or_a_table_of_the_page_above(monkeypatch):
    monkeypatch.setattr(views, "PAGES", {"/t/{task:path}": None})

    assert views_of("/t/vtab/flowers.csv", ()) == [
        View("/t/vtab/flowers", (), "csv"),
        View("/t/vtab", (), "flowers.csv"),
    ]
    assert views_of("/t/vtab/flowers", ()) == [View("/t/vtab/flowers")]
    assert rendering.match("/b/tiny") is None
