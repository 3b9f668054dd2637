"""The home page and the feed of a service to which things happen."""

import csv
import io
import xml.etree.ElementTree as ET

from sqlalchemy import select

from datacomp_server.submissions import marks
from datacomp_server.submissions.models import Submission

ATOM = "{http://www.w3.org/2005/Atom}"


def news(service):
    return [
        f"{row['what']}|{row['by']}|{row['said']}"
        for row in csv.DictReader(io.StringIO(service.http.get("/index/news.csv").text))
    ]


def say(service, kind):
    with service.context.database.writing() as session:
        found = session.scalars(select(Submission)).one()
        marks.mark(session, found, kind, by="organiser:Ada", moment=service.context.clock())


def test_what_comes_in_is_news_at_once(service, make_report):
    assert news(service) == []
    service.submit(make_report(level=0.3), method="mine")
    (first,) = news(service)
    assert first.startswith("mine|Alpha|is the first to compete at tiny: 0.")
    say(service, "baseline")
    assert news(service)[0] == "mine|Alpha|is a baseline of tiny now."
    assert "is a baseline of tiny now." in service.http.get("/").text


def test_the_feed_has_the_news_and_no_new_tag_without_any(service, make_report):
    service.submit(make_report(level=0.3), method="mine")
    first, again = service.http.get("/feed.atom"), service.http.get("/feed.atom")
    assert first.headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert first.headers["etag"] == again.headers["etag"]
    (entry,) = ET.fromstring(first.text).findall(f"{ATOM}entry")
    assert entry.find(f"{ATOM}title").text.startswith("mine by Alpha is the first")


def test_a_feed_knows_its_address_where_it_is_set(make_service):
    service = make_service(public_url="https://datacomp.example")
    links = ET.fromstring(service.http.get("/feed.atom").text).findall(f"{ATOM}link")
    assert [link.get("href") for link in links] == [
        "https://datacomp.example/feed.atom",
        "https://datacomp.example/",
    ]


def test_the_queue_says_what_waits(service, make_report):
    assert "Nothing waits to be measured" in service.http.get("/").text


def test_the_gap_to_the_best_baseline_stands_on_the_card(service, make_report):
    service.submit(make_report(level=0.3), method="no_filter")
    say(service, "baseline")
    assert "to beat: the baseline" in " ".join(service.http.get("/").text.split())
    service.submit(make_report(level=0.5, seed=1), method="mine")
    assert "against the best baseline" in " ".join(service.http.get("/").text.split())
