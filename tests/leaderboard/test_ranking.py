"""The order of a board as properties: total, stable, and never above a number without one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import UnknownNameError
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import Estimate, Row, Spread, group_seeds
from datacomp_leaderboard.ranking import COLUMNS, PODIUM, PODIUM_LEVEL, rank, sort_rows

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def boards(draw):
    """Rows with few distinct averages and dates, so that ties are common; ids differ."""
    means = draw(st.lists(st.none() | st.sampled_from([0.0, 0.1, 0.2, 1.0]), max_size=8))
    return [
        Row(
            id=f"S{number}",
            team="t",
            method=draw(st.text(max_size=3)),
            scale="tiny",
            recipe_id="r",
            pool_id="p",
            pool_size=10,
            average=None if mean is None else Spread(mean, 0.01, None, (mean,)),
            groups={"g": None if mean is None else Spread(1 - mean, 0.01, None, (1 - mean,))},
            seeds=(0,),
            submissions=(f"S{number}",),
            attempts=1,
            subset_size=5,
            subset_unique=5,
            oracle=draw(st.booleans()),
            level=draw(st.sampled_from(Level)),
            submitted_at=EPOCH + timedelta(days=draw(st.integers(0, 2))),
        )
        for number, mean in enumerate(means)
    ]


@given(boards(), st.randoms())
def test_the_order_of_arrival_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    assert rank(shuffled) == rank(rows)


@given(boards())
def test_ranking_again_changes_nothing(rows):
    ranked = rank(rows)

    assert rank([r.row for r in ranked]) == ranked


@given(boards())
def test_every_row_stands_once_and_ranks_count_up_from_one(rows):
    ranked = rank(rows)

    assert sorted(r.row.id for r in ranked) == sorted(row.id for row in rows)
    ranks = [r.rank for r in ranked if r.rank is not None]
    assert ranks == list(range(1, len(ranks) + 1))


@given(boards())
def test_better_averages_stand_higher_and_none_stands_last(rows):
    means = [r.row.average.mean if r.row.average else -1.0 for r in rank(rows)]

    assert means == sorted(means, reverse=True)


@given(boards())
def test_neither_truth_nor_an_absent_number_has_a_rank(rows):
    for r in rank(rows):
        if r.row.oracle or r.row.average is None:
            assert r.rank is None


@given(boards())
def test_the_podium_is_for_what_was_measured_again(rows):
    place = 0
    for r in rank(rows):
        if r.row.oracle or r.row.average is None:
            continue
        waits = r.row.level < PODIUM_LEVEL and place < PODIUM
        place += not waits
        assert r.rank == (None if waits else place)


@given(boards())
def test_what_is_not_verified_takes_no_place_on_the_podium(rows):
    verified = [row for row in rows if row.level >= PODIUM_LEVEL]

    podium = {r.row.id: r.rank for r in rank(rows) if r.rank and r.rank <= PODIUM}
    assert podium == {r.row.id: r.rank for r in rank(verified) if r.rank and r.rank <= PODIUM}


@given(boards())
def test_the_truth_takes_no_place_from_others(rows):
    without = [row for row in rows if not row.oracle]

    ranks = {r.row.id: r.rank for r in rank(rows)}
    assert all(ranks[r.row.id] == r.rank for r in rank(without))


@given(boards(), st.sampled_from([*COLUMNS, "group:g"]), st.booleans())
def test_sorting_keeps_rows_and_ranks_and_puts_absent_values_last(rows, column, descending):
    ranked = rank(rows)
    found = sort_rows(ranked, f"-{column}" if descending else column, ["g"])

    assert sorted(found, key=lambda r: r.row.id) == sorted(ranked, key=lambda r: r.row.id)
    if column == "group:g":
        absent = [r.row.groups["g"] is None for r in found]
        assert absent == sorted(absent)


def test_ties_are_broken_by_date_then_id(make_entry):
    first = make_entry(0.3, method="a")
    later = make_entry(0.3, method="b")
    same_time = replace(later, id="S0005", method="c")

    methods = [r.row.method for r in rank(group_seeds([same_time, later, first]))]
    assert methods == ["a", "c", "b"]


def test_an_unknown_column_is_named_with_its_nearest(make_entry):
    ranked = rank(group_seeds([make_entry(groups={"vtab": Estimate(0.1)})]))

    with pytest.raises(UnknownNameError, match="group:vtab"):
        sort_rows(ranked, "group:vtob", ["vtab"])


def test_a_board_without_a_number_has_an_order_and_no_rank(make_entry):
    ranked = rank(group_seeds([make_entry(None, method=f"m{i}") for i in range(3)]))

    assert [(r.row.method, r.rank) for r in ranked] == [("m0", None), ("m1", None), ("m2", None)]
    assert rank([]) == ()


def test_ten_thousand_ties_stand_in_order_of_arrival(make_entry):
    rows = group_seeds([make_entry(0.3, method=f"m{i}") for i in range(10_000)])

    ranked = rank(rows[::-1])
    assert [r.row for r in ranked] == list(rows)
    assert [r.rank for r in ranked] == list(range(1, 10_001))
