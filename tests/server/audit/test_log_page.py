"""The log as a page: what everybody sees, filters, pages, and the chain against an export."""

import re

import pytest

from datacomp_server.audit import service as audit
from datacomp_server.audit.export import day_folder, export


@pytest.fixture
def record(service):
    """`record(tag, subject, n)`: that many events."""

    def add(tag, subject=None, n=1, **facts):
        with service.context.database.writing() as session:
            for _ in range(n):
                audit.record(
                    session,
                    tag=tag,
                    subject_id=subject,
                    actor="team:<b>Alpha</b>",
                    facts=facts,
                    moment=service.context.clock(),
                )

    return add


@pytest.fixture
def page(service):
    def get(path="/log"):
        answer = service.http.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return answer.text

    return get


def seqs(text):
    return [int(seq) for seq in re.findall(r'<tr role="row" id="e(\d+)">', text)]


def href(text, words):
    return re.search(rf'<a href="([^"]+)"[^>]*>{words}</a>', text)[1].replace("&amp;", "&")


def test_an_empty_log_says_so(page):
    assert "Nothing has happened yet" in page()


def test_the_newest_comes_first_and_names_are_text(page, record):
    record("submission:received", "0" * 26, method="<script>")
    record("job:succeeded", "1" * 26)
    text = page()

    assert seqs(text) == [2, 1]
    assert "<script>" not in text
    assert "&lt;b&gt;Alpha" in text
    assert f'href="/s/{"0" * 26}"' in text
    assert f'href="/j/{"1" * 26}"' in text


def test_pages_of_a_hundred_forth_and_back(page, record):
    record("a:b", n=205)
    first = page()
    assert seqs(first) == list(range(205, 105, -1))
    second = page(href(first, "Older"))
    assert seqs(second) == list(range(105, 5, -1))
    last = page(href(second, "Older"))
    assert seqs(last) == [5, 4, 3, 2, 1]
    assert "Older" not in last
    assert seqs(page(href(last, "Newer"))) == list(range(105, 5, -1))
    assert seqs(page(href(last, "Newest"))) == seqs(first)


def test_one_kind_and_one_subject(page, record):
    record("a:b", "0" * 26)
    record("c:d", "0" * 26)
    record("c:d", "1" * 26)

    assert seqs(page("/log?kind=c:d")) == [3, 2]
    assert seqs(page(f"/log?subject={'0' * 26}")) == [2, 1]
    assert seqs(page(f"/log?kind=c:d&subject={'0' * 26}")) == [2]


@pytest.mark.parametrize(
    ("query", "status"),
    [("kind=nonsense", 400), ("before=2&after=1", 400), ("subject=x", 400), ("before=-1", 400)],
)
def test_what_cannot_be_is_refused(service, record, query, status):
    record("a:b")

    assert service.http.get(f"/log?{query}").status_code == status


def test_the_head_of_the_last_export(service, page, record):
    record("a:b")
    assert "None yet" in page()
    context = service.context
    export(context, day_folder(context.settings.exports_dir, context.clock()))
    record("a:b")
    assert "the chain passes through it" in page()

    manifest = next(context.settings.exports_dir.glob("*/manifest.json"))
    manifest.write_text(manifest.read_text().replace('"head": "1:', '"head": "2:'))
    record("a:b")
    assert "the log was written anew" in page()


def test_the_twin_has_all_that_hashes_are_over(service, record):
    record("a:b", "0" * 26, n=3, method="=1+1")
    record("c:d", n=120)
    rows = service.http.get("/log.json?kind=a:b").json()["rows"]

    assert [row["seq"] for row in rows] == [3, 2, 1]
    assert rows[0]["facts"] == '{"method":"=1+1"}'
    assert rows[0]["previous"] == rows[1]["sha256"]
    assert len(service.http.get("/log.json").json()["rows"]) == 123
