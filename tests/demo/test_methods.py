"""The demo's methods: names, what they need, and the paths that fill their selections."""

import pytest

from datacomp.demo import ALL, BASELINES, Method, find_methods
from datacomp.demo.needs import MAKERS
from datacomp.demo.subsets import make_filter
from datacomp.errors import UnknownNameError

LEARNT = Method(
    "learnt 30%",
    {"and": ["no_filter", {"clip_score": {"fraction": 0.3, "column": "{trusted}/x"}}, "{dfn}"]},
    "Made up.",
)


def test_methods_are_told_apart_by_their_first_word():
    assert len({method.stem for method in ALL}) == len(ALL)
    assert ALL[: len(BASELINES)] == BASELINES


def test_every_need_of_a_method_has_a_maker():
    assert {need for method in ALL for need in method.needs} <= set(MAKERS)


def test_selections_are_filled_with_the_paths_of_what_they_need():
    assert LEARNT.needs == ("trusted", "dfn")
    assert LEARNT.placed({"trusted": "/a", "dfn": "random"}) == {
        "and": ["no_filter", {"clip_score": {"fraction": 0.3, "column": "/a/x"}}, "random"]
    }


@pytest.mark.parametrize("method", ALL, ids=lambda method: method.stem)
def test_every_selection_builds_a_filter(method, tmp_path):
    places = dict.fromkeys(method.needs, str(tmp_path))
    chosen = make_filter(method, places)
    assert (chosen is None) == (method.stem == "oracle")


def test_methods_are_found_by_set_by_name_and_by_first_word():
    assert find_methods("baselines") == BASELINES
    assert find_methods("all") == ALL
    found = find_methods("oracle, clip_score,clip_score 30%")
    assert [method.name for method in found] == ["oracle", "clip_score 30%"]
    with pytest.raises(UnknownNameError, match="Did you mean 'oracle'"):
        find_methods("oracel")
