"""From events to sentences, and to the feed."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest

from datacomp_leaderboard.feed import build_feed
from datacomp_leaderboard.home import queue_light
from datacomp_leaderboard.news import KINDS, Happened, Subject, news_of
from datacomp_leaderboard.render import render
from support.boards import EPOCH

ATOM = "{http://www.w3.org/2005/Atom}"


def happened(seq, kind, subject="S1", **facts):
    return Happened(seq, EPOCH + timedelta(minutes=seq), kind, subject, facts, f"{seq:064}")


def subject(key="S1", **fields):
    return {key: Subject(**{"id": key, "team": "Alpha", "method": "mine", "scale": "tiny",
                            "average": 0.25} | fields)}  # fmt: skip


def told(*events, subjects=None):
    return [one.sentence for one in news_of(events, subjects or subject(), 10)]


def test_a_submission_that_came_says_where_it_stands():
    came = happened(1, "submission:accepted")
    assert told(came) == ["mine by Alpha came in at tiny: 0.250."]
    assert told(came, subjects=subject(average=None)) == ["mine by Alpha came in at tiny."]
    assert told(came, subjects=subject(leads=True, before=0.2)) == [
        "mine by Alpha is the best so far at tiny: 0.250, up from 0.200."
    ]


def test_seeds_of_one_method_are_one_sentence_that_links_the_first():
    both = subject("S1") | subject("S2")
    events = [happened(2, "submission:accepted", "S2"), happened(1, "submission:accepted", "S1")]
    (one,) = news_of(events, both, 10)
    assert one.sentence == "mine by Alpha came in at tiny with 2 reports: 0.250."
    assert (one.href, one.at, one.sha256) == ("/s/S1", events[0].at, events[1].sha256)


def test_events_of_two_methods_are_two_sentences_newest_first():
    both = subject("S1") | subject("S2", method="other")
    events = [happened(2, "submission:withdrawn", "S2"), happened(1, "submission:accepted", "S1")]
    assert told(*events, subjects=both) == [
        "other by Alpha was withdrawn by its team from tiny.",
        "mine by Alpha came in at tiny: 0.250.",
    ]


def test_a_worker_s_word_is_told():
    facts = {"level": "re-evaluated", "average": 0.21}
    assert told(happened(1, "submission:verified", **facts)) == [
        "mine by Alpha is re-evaluated at tiny: a worker measured 0.210."
    ]
    assert told(happened(1, "submission:contradicted", **facts)) == [
        "mine by Alpha was contradicted at tiny: a worker measured 0.210."
    ]


def test_what_happens_to_boards_is_told():
    facts = {"scale": "tiny", "track": "byod", "rule": "robust/1", "before": "official/2"}
    (one,) = news_of([happened(1, "board:rule_set", "B", **facts)], {}, 10)
    assert one.sentence == "Board tiny, own data, ranks by robust/1 now, no longer by official/2."
    assert one.href == "/b/tiny?track=byod"


def test_published_numbers_of_a_board_are_one_sentence():
    events = [happened(i, "published:added", f"P{i}", scale="small") for i in (3, 2, 1)]
    assert told(*events) == ["Board small shows 3 published numbers as baselines."]


def test_what_is_not_known_any_more_says_nothing():
    assert told(happened(1, "submission:accepted", "gone")) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("submission:")])
def test_every_kind_of_a_submission_has_a_sentence(kind):
    facts = {"level": "reported", "average": None}
    (sentence,) = told(happened(1, kind, **facts))
    assert sentence.startswith("mine by Alpha ")
    assert sentence.endswith(".")


def test_the_newest_are_told():
    events = [happened(seq, "board:opened", "B", scale="tiny", track="filtering")
              for seq in (3, 2, 1)]  # fmt: skip
    assert [one.at for one in news_of(events, {}, 2)] == [event.at for event in events[:2]]


def test_the_feed_is_atom_with_lasting_ids():
    news = news_of([happened(1, "submission:accepted")], subject(method="<b>&\u202e"), 10)
    first, again = (
        ET.fromstring(render(build_feed(news, base))) for base in ("https://x.example", "")
    )
    (entry,) = first.findall(f"{ATOM}entry")
    assert entry.find(f"{ATOM}title").text == news[0].sentence
    assert entry.find(f"{ATOM}link").get("href") == "https://x.example/s/S1"
    assert entry.find(f"{ATOM}id").text == again.find(f"{ATOM}entry/{ATOM}id").text
    assert entry.find(f"{ATOM}id").text.startswith("urn:uuid:")
    for tree in (first, again):
        assert [tree.find(f"{ATOM}{tag}") is not None for tag in ("id", "title", "updated")]
        assert tree.find(f"{ATOM}author/{ATOM}name").text == "DataComp"


def test_an_empty_feed_is_a_feed():
    tree = ET.fromstring(render(build_feed((), "")))
    assert tree.find(f"{ATOM}updated").text == "1970-01-01T00:00:00+00:00"
    assert tree.findall(f"{ATOM}entry") == []


@pytest.mark.parametrize(
    ("counts", "state", "words"),
    [
        ((0, 0, 0), "idle", "Nothing waits to be measured; no worker is here."),
        ((1, 0, 0), "stuck", "1 job waits, 0 run; no worker is here."),
        ((1200, 1, 2), "busy", "1,200 jobs wait, 1 runs; 2 workers here."),
    ],
)
def test_the_queue_in_a_sentence(counts, state, words):
    light = queue_light(*counts)
    assert (light.state, light.words) == (state, words)
