"""Subsets that share much: found when the later one is accepted."""

import pytest

from datacomp_server.submissions import overlaps


@pytest.fixture
def hand_in(desk, make_subset, of_subset):
    """`hand_in(numbers, ...)`: an accepted submission with a report and a subset file."""

    def make(numbers, *, seed=0, **body):
        file, subset = make_subset(numbers)
        found = desk.hand_in(file, report=of_subset(subset, seed=seed), **body)
        assert found["state"] == "accepted", found["findings"]
        return found

    return make


def shared(found):
    return [(one["submission"], one["exact"], one["jaccard"]) for one in found["overlaps"]]


def test_the_same_subset_of_two_teams(hand_in):
    first = hand_in(range(100), method="a")
    second = hand_in(range(100), seed=1, team="Beta")

    assert shared(first) == []
    assert shared(second) == [(first["id"], True, 1.0)]


def test_of_many_with_the_same_subset_the_first_is_named(hand_in):
    first = hand_in(range(100), method="a")
    hand_in(range(100), seed=1, method="b")

    third = hand_in(range(100), seed=2, method="c")

    assert shared(third) == [(first["id"], True, 1.0)]


def test_seeds_of_one_method_are_no_news(hand_in):
    hand_in(range(100))

    assert shared(hand_in(range(100), seed=1)) == []


def test_a_near_duplicate(hand_in):
    first = hand_in(range(100), method="a")
    hand_in(range(500, 600), seed=1, method="b")

    near = hand_in([*range(98), 200, 201], seed=2, method="c")

    assert shared(near) == [(first["id"], False, pytest.approx(98 / 102))]


def test_large_files_are_compared_by_their_sketches(hand_in, monkeypatch):
    monkeypatch.setattr(overlaps, "MOST_COMPARED_BYTES", 100)
    first = hand_in(range(4000), method="a")

    (found,) = shared(hand_in(range(100, 4000), seed=1, method="b"))

    assert found[:2] == (first["id"], False)
    assert found[2] == pytest.approx(0.975, abs=0.03)
    assert found[2] != 0.975


def test_another_pool_is_another_matter(hand_in, desk, make_subset, of_subset):
    hand_in(range(100), method="a")
    file, subset = make_subset(range(99))

    found = desk.hand_in(file, report=of_subset(subset, pool_id="e" * 64, seed=1), method="b")

    assert shared(found) == []


def test_a_subset_that_is_only_reported(desk, make_report):
    first = desk.post(report=make_report(), method="a").json()

    second = desk.post(report=make_report(seed=1), method="b").json()

    assert shared(second) == [(first["id"], True, 1.0)]
