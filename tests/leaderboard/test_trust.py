"""Why a submission is ranked or not: one failing gate for each reason, and none without one."""

from datetime import UTC, datetime

import pytest

from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.ranking import rank
from datacomp_leaderboard.trust import Verified, build_trust, sentence

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def trust(entries, *, own="S000", outdated=False, capped=False):
    rows = rank(group_seeds(entries))
    row = next((r for r in rows if own in r.row.submissions or own == r.row.id), None)
    level = entries[0].level if entries else Level.REPORTED
    known = Verified(level=level, capped=capped, evidence=(), results=(), twins=())
    return build_trust(known, own, outdated=outdated, row=row)


def failing(found):
    return [gate.text for gate in found.gates if not gate.passed]


def test_nothing_stands_against_a_ranked_method(make_entry):
    found = trust([make_entry()])

    assert found.ranked
    assert failing(found) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"average": None}, "has no number"),
        ({"oracle": True}, "what the pool's builder knows"),
        ({"level": Level.ATTESTED}, "is only attested"),
    ],
)
def test_the_reason_why_it_is_not_ranked(make_entry, fields, reason):
    found = trust([make_entry(**fields)])

    assert not found.ranked
    assert len([text for text in failing(found) if reason in text]) == 1


def test_an_older_suite(make_entry):
    assert failing(trust([], outdated=True)) == [
        "It was evaluated with an older version of the board's suite."
    ]


def test_without_a_result(make_entry):
    assert failing(trust([])) == ["No result of it stands on the board."]


def test_a_newer_submission_of_the_same_seed(make_entry):
    found = trust([make_entry(), make_entry(0.4)])

    assert failing(found) == ["A newer submission of the same method and seed counts in its place."]


def test_a_contradiction(make_entry):
    assert "contradicts it" in failing(trust([make_entry()], capped=True))[0]


def test_below_the_podium_an_unverified_method_is_ranked(make_entry):
    above = [make_entry(0.9, method=f"m{number}") for number in range(3)]
    found = trust([*above, make_entry(level=Level.REPORTED)], own="S003")

    assert found.ranked
    assert failing(found) == []


def test_evidence_in_words():
    assert sentence("training", "gpu-1", 2, ()) == (
        "worker gpu-1 trained on the submitted subset with seed 2 and evaluated"
    )
    assert sentence("contradiction", "gpu-1", None, ["a", "b", "c", "d"]).endswith("a, b, c, ...")
