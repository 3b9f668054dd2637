"""What each rule weighs, that the official average is the report's own, and previews of changes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp.errors import UnknownNameError, UsageError
from datacomp.reports import load_suite
from datacomp_leaderboard.entries import Estimate, TaskValues, group_seeds
from datacomp_leaderboard.ranking import rank
from datacomp_leaderboard.rules import (
    OFFICIAL,
    ROBUST,
    RULES,
    average_of,
    chance_of,
    lab_rule,
    left_out,
    noise_floor,
    preview,
    rank_by,
    rule_of,
)
from datacomp_leaderboard.scores import scores_of
from support.boards import KEYS, SUITE, boards, entry, task_values

FEW = settings(max_examples=30)
DATACOMP = load_suite("datacomp38")


@pytest.mark.parametrize("suite", ["tiny", "datacomp38"])
@pytest.mark.parametrize("level", [0.1, 0.3, 0.7])
def test_the_official_average_is_the_reports_own_to_the_bit(make_report, suite, level):
    report = make_report(suite, level=level)
    tasks = TaskValues.of(
        {
            task.key: Estimate(metric.value, metric.stderr)
            for task in load_suite(suite).scored
            if (metric := report.tasks[task.key].main) is not None
        }
    )
    found = average_of(tasks, OFFICIAL.weights(load_suite(suite)))

    own = report.aggregates.average
    assert (found.value, found.stderr) == (own.value, own.stderr)


def test_a_task_with_a_weight_and_no_number_leaves_none():
    tasks = task_values([None, 0.4])

    assert average_of(tasks, dict.fromkeys(KEYS, 1.0)) is None
    assert average_of(tasks, {KEYS[0]: 0.0, KEYS[1]: 2.0}).value == pytest.approx(0.4)
    assert average_of(tasks, {"unheard of": 1.0}) is None
    assert average_of(tasks, {}) is None


def test_an_average_of_tasks_without_noise_has_none():
    assert average_of(task_values([0.4], None), {KEYS[0]: 1.0}) == Estimate(0.4, None)


def test_the_robust_average_leaves_out_what_a_handful_of_pictures_decide():
    # FMoW's smallest region has 4 pictures; tiny has 106 flags
    assert [task.key for task in left_out(ROBUST, DATACOMP)] == ["wilds/fmow"]
    assert [task.key for task in left_out(ROBUST, SUITE)] == ["flags"]
    assert left_out(OFFICIAL, DATACOMP) == ()
    assert noise_floor(DATACOMP["wilds/fmow"]) == pytest.approx(math.sqrt(0.21 / 4))


@pytest.mark.parametrize("suite", [SUITE, DATACOMP])
def test_no_task_makes_more_than_a_quarter_of_the_robust_averages_noise(suite):
    variances = [noise_floor(suite[key]) ** 2 for key in ROBUST.weights(suite)]

    assert max(variances) <= 0.25 * sum(variances)


def test_chance_is_that_of_the_tasks_with_a_weight():
    flags = lab_rule(OFFICIAL, SUITE, {key: float(key == "flags") for key in KEYS})

    assert chance_of(flags, SUITE) == pytest.approx(1 / 106)
    # some of DataComp's tasks have no known chance level
    assert chance_of(OFFICIAL, DATACOMP) is None


def test_rules_have_ids_of_their_own():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [rule_of(rule.id) for rule in RULES] == list(RULES)
    with pytest.raises(UnknownNameError, match="robust/1"):
        rule_of("robust/2")


@given(boards(), st.sampled_from(RULES), st.randoms())
@FEW
def test_under_any_rule_the_order_is_total_and_of_nothing_but_the_rows(entries, rule, random):
    rows = list(group_seeds(entries))
    ranked = rank_by(rule, SUITE, rows)
    random.shuffle(rows)

    assert rank_by(rule, SUITE, rows) == ranked
    assert rank_by(rule, SUITE, [r.row for r in ranked]) == ranked
    assert sorted(r.row.id for r in ranked) == sorted(row.id for row in rows)
    absent = [r.row.average is None for r in ranked]
    assert absent == sorted(absent)
    ranks = [r.rank for r in ranked if r.rank is not None]
    assert ranks == list(range(1, len(ranks) + 1))


@given(boards())
@FEW
def test_scores_at_hand_change_nothing(entries):
    rows = group_seeds(entries)

    assert rank_by(ROBUST, SUITE, rows, scores_of(rows, KEYS)) == rank_by(ROBUST, SUITE, rows)
    assert rank_by(OFFICIAL, SUITE, rows) == rank(rows)


@given(boards(), st.floats(0.1, 100))
@FEW
def test_a_common_factor_of_all_weights_changes_no_average(entries, factor):
    rows = group_seeds(entries)
    own = lab_rule(OFFICIAL, SUITE, dict.fromkeys(KEYS, factor))

    equal = lab_rule(OFFICIAL, SUITE, dict.fromkeys(KEYS, 1.0))
    means = [r.row.average.mean for r in rank_by(own, SUITE, rows) if r.row.average]
    expected = [r.row.average.mean for r in rank_by(equal, SUITE, rows) if r.row.average]
    assert means == pytest.approx(expected)


def test_own_weights_in_words():
    own = lab_rule(OFFICIAL, SUITE, {"flags": 0.0, "names": 2.0})

    assert "flags" not in own.weights(SUITE)
    assert own.weights(SUITE)["names"] == 2.0
    assert own.words.endswith("left out.")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"flag": 1.0}, UnknownNameError),
        ({"flags": -1.0}, UsageError),
        ({"flags": math.nan}, UsageError),
        (dict.fromkeys(KEYS, 0.0), UsageError),
    ],
)
def test_weights_that_mean_nothing(changed, error):
    with pytest.raises(error):
        lab_rule(OFFICIAL, SUITE, changed)


def test_a_preview_counts_what_moves():
    # the second is better in flags alone, which the robust rule leaves out
    flags = KEYS.index("flags")
    values = [[0.3] * len(KEYS), [0.29] * len(KEYS), [0.2] * len(KEYS)]
    values[1][flags] = 0.9
    rows = group_seeds([entry(i, task_values(v)) for i, v in enumerate(values)])
    found = preview(rows, SUITE, OFFICIAL, ROBUST)

    assert [(m.row.id, m.before, m.after) for m in found.moves] == [
        ("S00000", 2, 1),
        ("S00001", 1, 2),
    ]
    assert (found.gained, found.lost, found.n_ranked) == ((), (), 3)
    assert found.sentence == ("This change moves 2 of 3 ranks; method 0 by Alpha takes the first.")


def test_a_preview_names_who_gains_and_loses_a_rank():
    failed = [0.3] * len(KEYS)
    failed[KEYS.index("flags")] = None
    rows = group_seeds([entry(0, task_values(failed)), entry(1, task_values([0.2]))])

    found = preview(rows, SUITE, OFFICIAL, ROBUST)
    assert [m.row.id for m in found.gained] == ["S00000"]
    assert "1 gains a rank" in found.sentence
    assert "1 loses a rank" in preview(rows, SUITE, ROBUST, OFFICIAL).sentence


@given(boards(), st.sampled_from(RULES))
@FEW
def test_no_change_moves_nothing(entries, rule):
    found = preview(group_seeds(entries), SUITE, rule, rule)

    assert found.moves == ()
    assert "moves none" in found.sentence
