"""The chain of events as values: what every kind of tampering is told as."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from datacomp.errors import UsageError
from datacomp.events import GENESIS, Head, check_chain, link, link_of_json, parse_head

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_chain(n=5):
    links, previous = [], GENESIS
    for seq in range(1, n + 1):
        at = EPOCH + timedelta(seconds=seq)
        links.append(
            link(
                seq=seq,
                at=at,
                tag="submission:accepted",
                subject_id=f"S{seq}",
                actor="team:Alpha",
                facts={"n": seq},
                previous=previous,
            )
        )
        previous = links[-1].sha256
    return links


def test_a_whole_chain():
    chain = make_chain()
    check = check_chain(chain)

    assert (check.n_events, check.problem) == (5, None)
    assert check.head == Head(5, chain[-1].sha256)


def test_an_empty_chain_is_whole():
    assert check_chain([]).problem is None


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-01-01T00:00:04.000000+00:00"},
        {"tag": "submission:refused"},
        {"subject_id": "S9"},
        {"actor": "team:Beta"},
        {"facts": {"n": 4}},
    ],
)
def test_a_changed_field_is_told_by_its_event(change):
    chain = make_chain()
    chain[2] = replace(chain[2], **change)
    check = check_chain(chain)

    assert check.n_events == 2
    assert "event 3" in check.problem
    assert "was changed" in check.problem


def test_a_changed_event_with_a_new_hash_is_told_by_the_next():
    chain = make_chain()
    fields = chain[2].hashed() | {"actor": "team:Beta", "at": EPOCH}
    chain[2] = link(**fields)
    check = check_chain(chain)

    assert check.n_events == 3
    assert "event 4" in check.problem
    assert "replaced" in check.problem


def test_a_removed_event_is_a_gap():
    chain = make_chain()
    del chain[1:3]

    assert "missing is 2 to 3" in check_chain(chain).problem


def test_an_event_twice():
    chain = make_chain()
    chain.insert(2, chain[1])

    assert "expected event 3" in check_chain(chain).problem


def test_a_cut_end_shows_against_a_known_head():
    chain = make_chain()
    known = Head(5, chain[-1].sha256)

    assert check_chain(chain[:4]).problem is None
    assert "newest events were removed" in check_chain(chain[:4], known=known).problem


def test_a_chain_written_anew_shows_against_a_known_head():
    known = Head(3, "a" * 64)

    assert "written anew" in check_chain(make_chain(), known=known).problem


def test_json_and_back():
    (event,) = make_chain(1)

    assert link_of_json(event.as_json()) == event
    with pytest.raises(UsageError, match="not an event"):
        link_of_json({"seq": 1})


def test_heads_as_text():
    head = Head(7, "b" * 64)

    assert parse_head(str(head)) == head
    with pytest.raises(UsageError, match="SEQ:SHA256"):
        parse_head("7")
