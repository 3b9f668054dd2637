"""Addresses of views: canonical, complete, and refused where a name means nothing."""

from datetime import date
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacomp.errors import DatacompError, UnknownNameError, UsageError
from datacomp.submission.levels import Level
from datacomp_leaderboard.entries import group_seeds, superseded_rows
from datacomp_leaderboard.query import (
    KINDS,
    PAGE_ROWS,
    PRESETS,
    SHOWN,
    TRACKS,
    BoardQuery,
    n_pages,
    page_of,
    parse,
    select,
)
from datacomp_leaderboard.ranking import COLUMNS, rank
from datacomp_leaderboard.rules import OFFICIAL, ROBUST, RULES
from support.boards import KEYS, SUITE, boards, entry, task_values

FEW = settings(max_examples=30)
SORTS = [*COLUMNS, *(f"group:{g}" for g in SUITE.groups), *(f"task:{key}" for key in KEYS)]


def parsed(text, in_force=OFFICIAL, suite=SUITE):
    return parse("tiny", parse_qsl(text, keep_blank_values=True), suite, in_force)


@st.composite
def pairs(draw):
    """The parts of a query string in any order, most of them not there."""
    single = {
        "track": st.sampled_from(TRACKS),
        "rule": st.sampled_from([rule.id for rule in RULES]),
        "sort": st.sampled_from([*SORTS, *("-" + name for name in SORTS)]),
        "level": st.sampled_from([level.label for level in Level]),
        "team": st.text(max_size=5),
        "q": st.text(max_size=5),
        "at": st.dates().map(date.isoformat),
        "page": st.integers(1, 10**6).map(str),
    }
    chosen = draw(st.sets(st.sampled_from(list(single)), max_size=4))
    found = [(key, draw(single[key])) for key in chosen]
    if draw(st.booleans()):
        found.append(("preset", draw(st.sampled_from(list(PRESETS)))))
    else:
        found += [("column", c) for c in draw(st.lists(st.sampled_from(SORTS), max_size=3))]
    found += [("show", s) for s in draw(st.lists(st.sampled_from([*KINDS, "none"]), max_size=3))]
    weighed = draw(st.dictionaries(st.sampled_from(KEYS), st.floats(0, 1000), max_size=4))
    found += [(f"w.{task}", str(weight)) for task, weight in weighed.items()]
    dropped = draw(st.sets(st.sampled_from(KEYS), max_size=2))
    return draw(st.permutations([*found, *(("drop", task) for task in dropped)]))


@given(pairs(), st.sampled_from(RULES))
def test_an_address_is_canonical(given_pairs, in_force):
    query = parse("tiny", given_pairs, SUITE, in_force)
    address = urlsplit(query.href())
    again = parse("tiny", parse_qsl(address.query), SUITE, in_force)

    assert again == query
    assert again.href() == query.href()
    assert address.path == "/b/tiny"
    assert parse("tiny", list(reversed(given_pairs)), SUITE, in_force).show == query.show


@given(pairs())
@FEW
def test_a_twin_has_the_same_query(given_pairs):
    query = parse("tiny", given_pairs, SUITE, OFFICIAL)

    assert query.href(".csv").replace("/b/tiny.csv", "/b/tiny") == query.href()


def test_a_view_in_its_own_order_has_the_bare_address():
    bare = "sort=-average&track=filtering&page=1&level=reported&preset=official&rule=official/2"
    same = "&q=&team=&at=&w.flags=1&w.names=&show=withdrawn&show=oracle&show=baselines"

    assert parsed(bare + same) == BoardQuery(scale="tiny")
    assert parsed(bare + same).href() == "/b/tiny"


def test_every_part_of_an_address():
    query = parsed(
        "w.names=2.5&drop=flags&sort=group:Naming&at=2026-05-01&q=clip&show=none&level=re-trained"
    )

    assert query.weights == (("flags", 0.0), ("names", 2.5))
    assert (query.at, query.show, query.level) == (date(2026, 5, 1), frozenset(), Level.RE_TRAINED)
    assert query.href() == (
        "/b/tiny?at=2026-05-01&drop=flags&level=re-trained&q=clip&show=none&sort=group:Naming"
        "&w.names=2.5"
    )


def test_a_weight_of_nothing_is_dropped_and_the_rules_own_left_out():
    assert parsed("w.flags=0") == parsed("drop=flags")
    # the robust rule leaves flags out already
    assert parsed("rule=robust/1&drop=flags").weights == ()
    assert parsed("rule=robust/1&w.flags=1").weights == (("flags", 1.0),)
    assert parsed("drop=flags", in_force=ROBUST).href() == "/b/tiny"
    assert parsed("rule=official/2", in_force=ROBUST).href() == "/b/tiny?rule=official/2"


def test_a_change_goes_back_to_the_first_page():
    query = parsed("page=3&q=clip")

    assert query.href(sort="method") == "/b/tiny?q=clip&sort=method"
    assert query.href(page=4) == "/b/tiny?page=4&q=clip"
    assert query.href() == "/b/tiny?page=3&q=clip"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("srt=average", ["'srt'", "sort"]),
        ("sort=avrage", ["avrage", "'average'"]),
        ("sort=group:Nameing", ["group:Naming"]),
        ("column=task:flag", ["task:flags"]),
        ("preset=offical", ["official"]),
        ("rule=official/1", ["official/2"]),
        ("track=cooking", ["byod"]),
        ("level=evaluated", ["re-evaluated"]),
        ("show=baseline", ["baselines"]),
        ("drop=flag", ["flags"]),
        ("w.flag=2", ["flags"]),
        ("w.flags=-1", ["flags", "'-1'"]),
        ("w.flags=nan", ["'nan'"]),
        ("w.flags=much", ["'much'"]),
        ("at=yesterday", ["'yesterday'", "2027-01-31"]),
        ("page=0", ["'0'"]),
        ("page=²", ["page"]),
        ("page=99999999999", ["1000000"]),
        ("sort=team&sort=date", ["twice", "'team'", "'date'"]),
        ("preset=tasks&column=team", ["exclude"]),
        ("q=" + "x" * 101, ["101"]),
        ("&".join(f"drop={key}" for key in KEYS), ["nothing is left"]),
    ],
)
def test_what_means_nothing_is_refused(text, names):
    with pytest.raises((UnknownNameError, UsageError)) as caught:
        parsed(text)
    assert all(name in str(caught.value) for name in names)


def test_without_a_suite_there_are_no_tasks_to_weigh():
    assert parsed("q=x", suite=None).text == "x"
    with pytest.raises(UnknownNameError):
        parsed("drop=flags", suite=None)


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=4))
def test_whatever_is_asked_is_answered_or_refused(given_pairs):
    try:
        query = parse("tiny", given_pairs, SUITE, OFFICIAL)
    except DatacompError:
        return
    assert parse("tiny", parse_qsl(urlsplit(query.href()).query), SUITE, OFFICIAL) == query


@given(boards(), pairs())
@FEW
def test_a_view_has_rows_of_the_board_with_their_ranks(entries, given_pairs):
    query = parse("tiny", given_pairs, SUITE, OFFICIAL)
    ranked = rank([*group_seeds(entries), *superseded_rows(entries)])
    shown = select(ranked, query, SUITE.groups, KEYS)

    assert len({id(r) for r in shown}) == len(shown)
    assert {id(r) for r in shown} <= {id(r) for r in ranked}
    assert all(r.row.level >= query.level for r in shown)
    if query == BoardQuery(scale="tiny", show=frozenset(KINDS)):
        assert shown == ranked


@pytest.mark.parametrize(
    ("text", "methods"),
    [
        ("", ["best", "baseline", "oracle", "Ünder", "gone"]),
        ("show=none", ["best", "Ünder"]),
        ("show=superseded", ["best", "best", "Ünder"]),
        ("q=ÜNDER", ["Ünder"]),
        ("q=beta", ["Ünder"]),
        ("team=Beta", ["Ünder"]),
        ("level=re-trained", ["best"]),
        ("sort=method&show=none", ["best", "Ünder"]),
        ("sort=task:names&show=none", ["Ünder", "best"]),
    ],
)
def test_filters(text, methods):
    entries = [
        entry(0, task_values([0.8]), method="best", level=Level.RE_TRAINED),
        entry(1, task_values([0.9]), method="best", level=Level.RE_TRAINED),
        entry(2, task_values([0.7]), method="baseline", baseline=True),
        entry(3, task_values([0.6]), method="oracle", oracle=True),
        entry(4, task_values([0.5]), method="Ünder", team="Beta"),
        entry(5, task_values([0.4]), method="gone", withdrawn=True),
    ]
    ranked = rank([*group_seeds(entries), *superseded_rows(entries)])

    shown = select(ranked, parsed(text), SUITE.groups, KEYS)
    assert [r.row.method for r in shown] == methods


def test_pages_hold_every_row_once():
    entries = [entry(i, task_values([0.3])) for i in range(2 * PAGE_ROWS + 1)]
    ranked = rank(group_seeds(entries))
    pages = [page_of(ranked, page) for page in range(1, n_pages(len(ranked)) + 2)]

    assert [len(page) for page in pages] == [PAGE_ROWS, PAGE_ROWS, 1, 0]
    assert [r for page in pages for r in page] == list(ranked)
    assert (n_pages(0), n_pages(PAGE_ROWS)) == (1, 1)


def test_columns_of_a_preset_are_those_of_the_suite():
    every = parsed("preset=everything").shown_columns(SUITE)

    assert set(every) == set(SORTS)
    assert parsed("column=team&column=average").shown_columns(SUITE) == ("team", "average")
    assert parsed("show=none").show != SHOWN


def test_the_rule_of_a_view():
    assert parsed("").named_rule(ROBUST, SUITE) is ROBUST
    assert parsed("rule=robust/1").named_rule(OFFICIAL, SUITE) is ROBUST
    own = parsed("rule=robust/1&drop=names").named_rule(OFFICIAL, SUITE)
    assert not {"names", "flags"} & set(own.weights(SUITE))
