"""Which task decides the leader, and who stays on top under other weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp_leaderboard.entries import group_seeds
from datacomp_leaderboard.rules import OFFICIAL, ROBUST, lab_rule, rank_by
from datacomp_leaderboard.scores import scores_of
from datacomp_leaderboard.sensitivity import kendall_tau, leave_one_task_out, stability
from support.boards import KEYS, SUITE, boards, entry, task_values

FEW = settings(max_examples=30)


def board(*values, rule=OFFICIAL):
    entries = [entry(i, task_values(line)) for i, line in enumerate(values)]
    return of(entries, rule)


def of(entries, rule=OFFICIAL):
    """The order, the scores, the rule and its weights: what both functions are given."""
    rows = group_seeds(entries)
    return rank_by(rule, SUITE, rows), scores_of(rows, KEYS), rule, rule.weights(SUITE)


def test_the_one_task_that_makes_the_leader():
    ahead_in_the_first = [1.0, *[0.2] * (len(KEYS) - 1)]
    found = leave_one_task_out(*board(ahead_in_the_first, [0.25]))

    assert [one.task for one in found] == list(KEYS)
    assert [one.task for one in found if one.changes_leader] == [KEYS[0]]
    assert found[0].leader.row.id == "S00001"
    assert (found[0].tau, found[1].tau) == (-1.0, 1.0)


def test_nobody_leads_an_empty_board_or_one_without_a_number():
    assert leave_one_task_out(*board()) == ()
    assert leave_one_task_out(*board([None])) == ()
    assert stability(*board()) == {}
    assert stability(*board([None])) == {}


@given(boards())
@FEW
def test_without_a_task_the_leader_is_that_of_the_board_without_it(entries):
    given = of(entries)
    for one in leave_one_task_out(*given):
        own = lab_rule(OFFICIAL, SUITE, {one.task: 0.0})
        whole = [e for e in entries if all(e.tasks[key] is not None for key in KEYS)]
        first = one.leader
        ranked = rank_by(own, SUITE, group_seeds(entries))
        leads = next(r.row for r in ranked if r.row.id == first.row.id)
        rivals = [r.row for r in ranked if r.row.competes and r.row.level >= first.row.level]
        complete = {e.id for e in whole}
        for rival in rivals:
            if rival.average is not None and set(rival.submissions) <= complete:
                assert leads.average.mean >= rival.average.mean - 1e-12 or (
                    first.row.level < OFFICIAL.podium_level
                )


@given(boards())
@FEW
def test_neither_depends_on_the_order_of_arrival(entries):
    rows = group_seeds(entries)
    turned = rows[::-1]
    weights = OFFICIAL.weights(SUITE)
    given = (rank_by(OFFICIAL, SUITE, rows), scores_of(rows, KEYS), OFFICIAL, weights)
    other = (rank_by(OFFICIAL, SUITE, turned), scores_of(turned, KEYS), OFFICIAL, weights)

    assert leave_one_task_out(*given) == leave_one_task_out(*other)
    assert stability(*given, weightings=50) == stability(*other, weightings=50)


@given(boards())
@FEW
def test_shares_are_of_all_weightings_and_fill_the_top(entries):
    shares = stability(*of(entries), weightings=50, top=3)

    assert all(0 <= share <= 1 for share in shares.values())
    assert sum(shares.values()) >= min(3, len(shares)) - 1e-9


def test_who_is_better_in_everything_is_always_on_top_and_alike_rows_share_it():
    shares = stability(*board([0.5], [0.3], [0.3], [0.3], [0.1]), top=2)

    assert list(shares.values()) == [1.0, 1.0, 1.0, 1.0, 0.0]


def test_who_is_best_in_half_of_the_tasks_is_on_top_half_the_time():
    half = len(KEYS) // 2
    one, other = [0.4] * half + [0.2] * half, [0.2] * half + [0.4] * half
    shares = stability(*board(one, other), top=1)

    assert shares["S00000"] == pytest.approx(0.5, abs=0.04)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_a_task_without_weight_is_not_left_out_again():
    assert "flags" not in [one.task for one in leave_one_task_out(*board([0.3], rule=ROBUST))]


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=2, max_size=8), st.randoms())
def test_tau_against_its_definition(values, random):
    other = list(values)
    random.shuffle(other)
    a, b = np.array(values), np.array(other)
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    agree = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs)
    untied = [sum(x[i] != x[j] for i, j in pairs) for x in (a, b)]

    found = kendall_tau(a, b)
    assert found == (pytest.approx(agree / np.sqrt(untied[0] * untied[1])) if all(untied) else None)
