"""A board's page from its data and a query: places, tiers, columns, choices and their addresses."""

from datetime import date

import pytest
from hypothesis import given, settings

from datacomp.submission.levels import Level
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_view import BoardView, build_board
from datacomp_leaderboard.query import PAGE_ROWS, BoardQuery
from datacomp_leaderboard.render import render
from datacomp_leaderboard.tables import board_table, without_table
from support.boards import KEYS, SUITE, boards, entry, task_values


def page_of(entries, **choices):
    data = BoardData(scale="tiny", suite=SUITE, entries=tuple(entries))
    return build_board(BoardView(data, BoardQuery(scale="tiny", **choices)))


def methods(page):
    return [line.row.method for line in page.lines]


FAR = [entry(0, task_values([0.6])), entry(1, task_values([0.4])), entry(2, task_values([0.2]))]
NEAR = [entry(i, task_values([0.4 + i / 10_000])) for i in range(4)]


def test_rows_that_noise_tells_apart_have_a_place_and_a_tier_each():
    page = page_of(FAR)

    assert [line.place for line in page.lines] == ["1", "2", "3"]
    assert [line.tier for line in page.lines] == [1, 2, 3]


def test_rows_that_it_does_not_share_an_interval_and_a_tier():
    page = page_of(NEAR)

    assert [line.place for line in page.lines] == ["1–4"] * 4
    assert [line.tier for line in page.lines] == [1, None, None, None]
    assert page.lines[1].why == "Place 2; beyond noise between 1 and 4"


def test_tiers_are_only_shown_in_order_of_merit():
    assert [line.tier for line in page_of(FAR, sort="date").lines] == [None] * 3


@pytest.mark.parametrize(
    ("fields", "place", "mark"),
    [
        ({"oracle": True}, "◆", "uses the truth"),
        ({"baseline": True}, "◇", "baseline"),
        ({"baseline": True, "published": True, "seed": None}, "◇", "published"),
        ({"withdrawn": True}, "–", "withdrawn"),
    ],
)
def test_what_has_no_rank_says_why(fields, place, mark):
    line = page_of([*FAR, entry(9, task_values([0.9]), method="x", **fields)]).lines[0]

    assert (line.place, line.marks) == (place, (mark,))
    assert "no rank" in line.why


def test_what_failed_is_no_number():
    entries = [entry(0, task_values([None, 0.4])), entry(1, task_values([None, 0.4]))]
    page = page_of(entries, preset="everything")
    html = render(page)

    assert [line.place for line in page.lines] == ["–", "–"]
    assert page.lines[0].whisker is None
    assert page.share is None
    assert not {"None", "nan", "NaN"} & set(html.replace("<", " ").replace(">", " ").split())


def test_filters_that_are_on_can_each_be_taken_off():
    page = page_of(FAR, team="Alpha", text="method", level=Level.RE_EVALUATED, at=date(2026, 5, 1))

    assert [link.text for link in page.active] == [
        "as of 2026-05-01",
        "with “method”",
        "by Alpha",
        "at least re-evaluated",
    ]
    assert page.active[2].href == "/b/tiny?at=2026-05-01&level=re-evaluated&q=method"
    assert page.as_of == "2026-05-01"


def test_own_weights_order_anew_and_say_so():
    first, second = task_values([0.9, 0.1]), task_values([0.1, 0.3])
    entries = [entry(0, first), entry(1, second)]
    page = page_of(entries, weights=((KEYS[0], 9.0),))

    assert methods(page_of(entries)) == ["method 1", "method 0"]
    assert methods(page) == ["method 0", "method 1"]
    assert SUITE.scored[0].name in page.own_rule
    assert [task.key for task in page.choices.tasks if task.changed] == [KEYS[0]]
    assert page.choices_open
    assert page.without == ()


def test_reports_that_newer_ones_replaced_are_shown_when_asked_for():
    entries = [entry(0, task_values([0.2]), method="m"), entry(1, task_values([0.4]), method="m")]

    assert [line.kind for line in page_of(entries).lines] == [""]
    page = page_of(entries, show=frozenset({"superseded"}))
    assert [line.marks for line in page.lines] == [(), ("replaced",)]
    assert page.lines[0].spark.words == "2 reports, from 0.200 to 0.400"
    assert page.lines[1].spark is None


def test_pages_of_rows_lead_to_each_other():
    entries = [entry(i, task_values([0.3])) for i in range(PAGE_ROWS + 5)]
    first, second = page_of(entries), page_of(entries, page=2)

    assert (first.first, first.last, first.earlier) == (1, PAGE_ROWS, None)
    assert first.later == "/b/tiny?page=2"
    assert (second.first, second.last, second.later) == (PAGE_ROWS + 1, PAGE_ROWS + 5, None)
    assert second.earlier == "/b/tiny"
    assert page_of(entries, page=9).earlier == "/b/tiny?page=2"
    assert "No row is like that" in render(page_of(entries, page=9))


def test_columns_are_those_of_the_preset_or_those_that_were_chosen():
    def keys(**choices):
        return [heading.key for heading in page_of(FAR, **choices).headings]

    assert keys(preset="economy")[3:] == ["level", "subset", "share", "seeds", "date"]
    assert keys(columns=("date", "task:" + KEYS[0])) == [
        *("method", "team", "average"),
        *("date", "task:" + KEYS[0]),
    ]
    assert "stability" in keys(preset="robustness")


def test_a_heading_sorts_and_then_the_other_way_round():
    def link(**choices):
        found = {heading.key: heading for heading in page_of(FAR, **choices).headings}
        return found["date"].href, found["date"].direction

    assert link() == ("/b/tiny?sort=-date", None)
    assert link(sort="-date") == ("/b/tiny?sort=date", "descending")


def test_the_table_has_all_rows_of_the_view_and_the_tasks_that_it_shows():
    entries = [entry(i, task_values([0.3])) for i in range(PAGE_ROWS + 5)]
    data = BoardData(scale="tiny", suite=SUITE, entries=tuple(entries))
    plain, tasks = (
        board_table(BoardView(data, BoardQuery(scale="tiny", preset=preset, page=2)))
        for preset in ("official", "tasks")
    )

    assert len(plain.rows) == PAGE_ROWS + 5
    assert len(tasks.columns) == len(plain.columns) + 2 * len(KEYS)


def test_the_task_that_decides_the_first_place_is_named():
    first, second = task_values([0.9, 0.3]), task_values([0.1, 0.35])
    data = BoardData(scale="tiny", suite=SUITE, entries=(entry(0, first), entry(1, second)))
    page = build_board(BoardView(data, BoardQuery(scale="tiny")))

    assert [one.name for one in page.without if one.changes] == [SUITE.scored[0].name]
    assert page.n_leaders == 1
    assert [row[2] for row in without_table(data).rows].count(True) == 1


def test_one_row_alone_hangs_on_no_task():
    assert page_of([entry(0, task_values([0.3]))]).without == ()


@settings(max_examples=20, deadline=None)
@given(boards())
def test_every_board_renders_in_every_preset(entries):
    for preset in ("official", "everything"):
        page = page_of(entries, preset=preset)
        assert len(page.lines) == page.n_shown
        render(page)
