"""The ladder as properties: monotone, never above the evidence, capped by what speaks against."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import UnknownNameError
from datacomp.submission.levels import Level, parse_level
from datacomp_server.verification.levels import Fact, Said, climbed, is_capped, level_of

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FAVOURABLE = ("report", "attestation", "evaluation", "training")

moments = st.integers(0, 5).map(lambda hour: EPOCH + timedelta(hours=hour))
favourable = st.builds(Fact, st.sampled_from(FAVOURABLE), moments, st.integers(0, 3))
facts = st.lists(favourable | st.builds(Fact, st.just("contradiction"), moments), max_size=6)
marks = st.lists(
    st.builds(
        Said,
        st.sampled_from(["baseline", "withdrawn", "challenged", "upheld", "dismissed"]),
        moments,
    ),
    max_size=4,
)


def fact(kind, hour=0, seed=None):
    return Fact(kind, EPOCH + timedelta(hours=hour), seed)


def said(kind, hour):
    return Said(kind, EPOCH + timedelta(hours=hour))


@given(facts, marks, favourable)
def test_favourable_evidence_never_lowers(known, said, new):
    assert level_of([*known, new], said) >= level_of(known, said)


@given(facts, marks)
def test_never_above_what_the_evidence_allows(known, said):
    level = level_of(known, said)
    kinds = {one.kind for one in known}

    if level >= Level.REPRODUCED:
        assert len({one.seed for one in known if one.kind == "training"}) >= 3
    if level >= Level.RE_TRAINED:
        assert "training" in kinds
    if level >= Level.RE_EVALUATED:
        assert kinds & {"evaluation", "training"}
    if level >= Level.ATTESTED:
        assert kinds & {"attestation", "evaluation", "training"}


@given(facts, marks)
def test_an_open_contradiction_caps_at_reported(known, said):
    later = EPOCH + timedelta(days=1)

    assert level_of([*known, Fact("contradiction", later)], said) is Level.REPORTED
    assert level_of(known, [*said, Said("upheld", later)]) is Level.REPORTED


@given(facts, marks)
def test_a_dismissal_settles_what_came_before(known, said):
    settled = [*said, Said("dismissed", EPOCH + timedelta(days=1))]

    assert level_of(known, settled) == climbed(known)


@given(facts, marks, st.randoms())
def test_the_order_of_rows_does_not_matter(known, said, random):
    shuffled_facts, shuffled_marks = list(known), list(said)
    random.shuffle(shuffled_facts)
    random.shuffle(shuffled_marks)

    assert level_of(shuffled_facts, shuffled_marks) == level_of(known, said)


@pytest.mark.parametrize(
    ("evidence", "level"),
    [
        ([], Level.REPORTED),
        ([fact("report")], Level.REPORTED),
        ([fact("report"), fact("attestation")], Level.ATTESTED),
        ([fact("report"), fact("evaluation")], Level.RE_EVALUATED),
        ([fact("training", seed=0)], Level.RE_TRAINED),
        ([fact("training", seed=0)] * 3, Level.RE_TRAINED),
        ([fact("training", seed=seed) for seed in (0, 1)], Level.RE_TRAINED),
        ([fact("training", seed=seed) for seed in (0, 1, 2)], Level.REPRODUCED),
    ],
)
def test_levels_by_evidence(evidence, level):
    assert level_of(evidence, []) is level


def test_a_challenge_alone_changes_nothing():
    assert level_of([fact("training", seed=0)], [said("challenged", 1)]) is Level.RE_TRAINED


def test_a_contradiction_after_a_dismissal_counts():
    known = [fact("evaluation"), fact("contradiction", 1), fact("contradiction", 3)]

    assert is_capped(known, [said("dismissed", 2)])
    assert not is_capped(known, [said("dismissed", 4)])


def test_names_are_for_people():
    assert [level.label for level in Level] == [
        "reported",
        "attested",
        "re-evaluated",
        "re-trained",
        "reproduced",
    ]
    assert parse_level("re-trained") is Level.RE_TRAINED
    with pytest.raises(UnknownNameError, match="re-trained"):
        parse_level("retrained")
