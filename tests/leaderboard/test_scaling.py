"""Methods across scales: who is compared, how alike two orders are, and what keeps little."""

import pytest

from datacomp.reports import load_suite
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.entries import Estimate
from datacomp_leaderboard.scaling import families, tau_interval
from datacomp_leaderboard.scaling_pages import build_scaling
from support.boards import entry, task_values

DATACOMP, TINY = load_suite("datacomp38"), load_suite("tiny")


def board(scale, averages, suite=DATACOMP, **fields):
    """A board with a method for each average, named by its place in `averages`."""
    made = [
        entry(
            number,
            task_values([0.5]),
            method=name,
            scale=scale,
            average=None if value is None else Estimate(value, 0.01),
            **fields,
        )
        for number, (name, value) in enumerate(averages.items())
    ]
    return BoardData(scale=scale, suite=suite, entries=tuple(made))


def only(*boards):
    (family,) = families(boards)
    return family


def test_scales_of_one_suite_are_a_family():
    found = families([board("tiny", {"a": 0.1}, TINY), board("small", {"a": 0.1})])
    assert [family.scales for family in found] == [("tiny",), ("small",)]


def test_boards_without_a_number_are_left_out():
    assert families([board("small", {}), board("medium", {"a": None})]) == ()


def test_a_method_is_a_team_and_a_name():
    small, large = board("small", {"a": 0.1, "b": 0.2}), board("large", {"a": 0.3, "c": 0.4})
    (method,) = only(small, large).methods
    assert (method.team, method.method) == ("Alpha", "a")
    assert [row.average.mean for row in method.rows.values()] == [0.1, 0.3]


def test_rows_that_use_the_truth_or_were_withdrawn_take_no_part():
    small = board("small", {"a": 0.1})
    for mark in ("oracle", "withdrawn"):
        assert only(small, board("large", {"a": 0.3, "b": 0.1}), board("medium", {})).methods
        assert families([board("large", {"a": 0.3}, **{mark: True})]) == ()


def test_the_same_order_has_tau_1_and_the_reverse_minus_1():
    names = dict(zip("abcdef", (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), strict=True))
    reverse = {name: 1 - value for name, value in names.items()}
    (same,) = only(board("small", names), board("medium", names)).transfers
    (turned,) = only(board("small", names), board("medium", reverse)).transfers
    assert (same.n, same.tau, same.high) == (6, 1.0, 1.0)
    assert same.low < 0.95
    assert (turned.tau, turned.low) == (-1.0, -1.0)


def test_too_few_methods_have_no_interval_and_one_has_no_tau():
    two = {"a": 0.1, "b": 0.2}
    (pair,) = only(board("small", two), board("large", two)).transfers
    assert (pair.n, pair.tau, pair.low, pair.high) == (2, 1.0, None, None)
    (alone,) = only(board("small", two), board("large", {"a": 0.1})).transfers
    assert (alone.n, alone.tau) == (1, None)


@pytest.mark.parametrize("tau", [-1.0, -0.3, 0.0, 0.6, 1.0])
def test_an_interval_holds_its_tau_and_narrows_with_more_methods(tau):
    few, many = tau_interval(tau, 6), tau_interval(tau, 60)
    for low, high in (few, many):
        assert -1 <= low <= tau <= high <= 1
    assert many[1] - many[0] < few[1] - few[0]


def test_a_method_is_efficient_if_none_that_keeps_less_is_as_good():
    entries = [
        entry(i, task_values([0.5]), scale="small", subset_unique=kept, average=Estimate(value))
        for i, (kept, value) in enumerate([(10, 0.2), (20, 0.2), (30, 0.3), (30, 0.25), (40, 0.1)])
    ]
    family = only(BoardData(scale="small", suite=DATACOMP, entries=tuple(entries)))
    assert [(one.row.subset_unique, one.efficient) for one in family.kept["small"]] == [
        *[(10, True), (20, False), (30, True), (30, False), (40, False)]
    ]


def test_the_page_has_the_family_with_most_scales_first():
    tiny = board("tiny", {"a": 0.1}, TINY)
    small, large = board("small", {"a": 0.1, "b": 0.2}), board("large", {"a": 0.3, "b": 0.2})
    built = build_scaling(families([tiny, small, large]))
    assert [view.scales for view in built.page.families] == [("small", "large"), ("tiny",)]
    assert [cell[1].mean for cell in built.page.families[0].methods[0].cells] == [0.1, 0.3]
    assert [chart.name for chart in built.charts] == ["lines-datacomp38"]
    assert [len(table.rows) for table in built.tables] == [4, 1, 5]


def test_a_service_without_a_number_has_a_page_too():
    built = build_scaling(())
    assert (built.page.families, built.charts) == ((), ())
