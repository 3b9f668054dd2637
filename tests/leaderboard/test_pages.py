"""Pages and templates agree about names, and number formats read as intended."""

import re
from dataclasses import fields, is_dataclass
from importlib import import_module
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes
from jinja2.meta import find_referenced_templates, find_undeclared_variables

import datacomp_leaderboard
from datacomp.reports import load_suite
from datacomp_leaderboard import formatting
from datacomp_leaderboard.board_data import BoardData
from datacomp_leaderboard.board_view import BoardView, build_board
from datacomp_leaderboard.entries import Estimate
from datacomp_leaderboard.home import build_home, queue_light
from datacomp_leaderboard.query import BoardQuery
from datacomp_leaderboard.render import STATIC, asset, environment, render
from datacomp_leaderboard.tables import board_json, board_table
from datacomp_leaderboard.twins import inert

MODULES = [
    import_module(f"datacomp_leaderboard.{module.name}")
    for module in iter_modules(datacomp_leaderboard.__path__)
]
PAGES = {
    thing
    for module in MODULES
    for thing in vars(module).values()
    if is_dataclass(thing) and hasattr(thing, "template")
}


def names_used(template):
    """Names that a template, and what it extends or imports, reads from its context."""
    env = environment()
    tree = env.parse(env.loader.get_source(env, template)[0])
    used = find_undeclared_variables(tree)
    for other in find_referenced_templates(tree):
        used |= names_used(other)
    made = {node.target.name for node in tree.find_all(nodes.Assign)}
    made |= {node.name for node in tree.find_all(nodes.Macro)}
    imported = (name for node in tree.find_all(nodes.FromImport) for name in node.names)
    made |= {name if isinstance(name, str) else name[1] for name in imported}
    return used - made


@pytest.mark.parametrize(
    "page", sorted(PAGES, key=lambda page: page.__name__), ids=lambda page: page.__name__
)
def test_templates_use_exactly_the_fields_of_their_page(page):
    declared = {field.name for field in fields(page)}
    used = names_used(page.template) - set(environment().globals)

    assert used - declared == set(), "the template reads what the page does not have"
    assert declared - used == set(), "no template shows this field"


def board(entries, **facts):
    return BoardData(scale="tiny", entries=tuple(entries), **facts)


def view(data, **choices):
    return BoardView(data, BoardQuery(scale="tiny", **choices))


def test_a_board_renders_whatever_is_absent(make_entry):
    entries = [
        make_entry(None, method="failed", groups={"a": None}),
        make_entry(0.2, None, method="no noise", groups={"a": Estimate(0.2)}),
        make_entry(0.4, method="oracle", oracle=True),
        make_entry(0.3, method="x" * 100, subset_unique=0, pool_size=0),
    ]
    html = render(build_board(view(board(entries, suite=load_suite("tiny")))))

    assert "incomplete" in html
    assert "n/a" in html
    assert "uses the truth" in html


def test_a_board_of_one_failed_method_renders(make_entry):
    assert "failed" in render(build_board(view(board([make_entry(None, method="failed")]))))


def test_home_renders_boards_without_a_ranked_method(make_entry):
    boards = [board([make_entry(oracle=True)]), board([])]
    page = build_home(boards, own_data={}, news=(), queue=queue_light(0, 0, 0))

    assert "No method has a number yet" in render(page)
    assert page.empty == ("tiny",)


def test_twins_have_the_rows_of_the_page_in_its_order(make_entry):
    entries = [make_entry(0.1 * i, method=f"m{i}") for i in range(5)]
    shown = view(board(entries), sort="method")
    page = build_board(shown)
    methods = [line.row.method for line in page.lines]

    assert methods == ["m0", "m1", "m2", "m3", "m4"]
    assert [row["method"] for row in board_json(shown)["rows"]] == methods
    assert [row[4] for row in board_table(shown).rows] == methods
    assert page.files[0] == ("csv", "/b/tiny.csv?sort=method")


@given(st.text(min_size=1))
def test_no_text_begins_a_formula(text):
    assert inert(text)[0] not in "=+-@\t\r"


def test_the_style_sheet_loads_nothing_from_elsewhere():
    css = (STATIC / "board.css").read_text()

    assert not re.findall(r"url\(|@import|https?:", css)
    assert asset("board.css").startswith("/static/board.css?v=")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.score(0.13449), "0.134"),
        (formatting.score(None), "–"),
        (formatting.count(12800000), "12,800,000"),
        (formatting.short_count(12_800_000), "12.8M"),
        (formatting.short_count(1_280_000_000), "1.28B"),
        (formatting.short_count(4096), "4,096"),
        (formatting.percent(0.3), "30.0%"),
        (formatting.percent(0.0004), "0.04%"),
        (formatting.percent(0.0), "0.0%"),
        (formatting.label("mean_recall/x"), "mean recall / x"),
    ],
)
def test_formats(text, expected):
    assert text == expected
