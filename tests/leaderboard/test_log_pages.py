"""The log as people read it: addresses, and events in words."""

from datetime import UTC, datetime

from datacomp_leaderboard.log_pages import LogQuery, event_line, kind_links, told

ULID = "0123456789ABCDEFGHJKMNPQRS"
ALL = LogQuery()


def line(kind, query=ALL, subject=ULID):
    return event_line(
        query,
        seq=3,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        kind=kind,
        subject=subject,
        actor="team:Alpha",
        facts={},
        previous="0" * 64,
        sha256="1" * 64,
    )


def test_addresses_leave_out_what_is_not_said():
    assert LogQuery().href() == "/log"
    assert LogQuery(kind="job:succeeded").href(before=7) == "/log?before=7&kind=job%3Asucceeded"


def test_a_change_of_view_begins_at_the_newest_event():
    query = LogQuery(subject=ULID, before=7)

    assert query.href(kind="a:b") == f"/log?kind=a%3Ab&subject={ULID}"


def test_what_has_a_page_is_linked():
    assert line("submission:accepted").subject_href == f"/s/{ULID}"
    assert line("verification:planned").subject_href == f"/s/{ULID}"
    assert line("job:succeeded").subject_href == f"/j/{ULID}"
    assert line("token:created").subject_href is None
    assert line("board:rule_set", subject=None).events_href is None
    assert line("a:b", LogQuery(subject=ULID)).events_href is None


def test_facts_are_texts_and_say_something():
    facts = {"reason": None, "n": 3, "chosen": ["a", "b"], "files": {}, "method": "x" * 300}

    assert list(told(facts)) == [
        ("chosen", "a, b"),
        ("method", "x" * 240 + "…"),
        ("n", "3"),
    ]


def test_kinds_say_which_is_shown():
    links = kind_links(LogQuery(kind="b"), {"b": 2, "a": 1})

    assert [(one.kind, one.n, one.current) for one in links] == [("a", 1, False), ("b", 2, True)]
