"""Filters by name, plugin files, parameters from words, and the catalogue."""

from dataclasses import dataclass
from typing import Literal

import pytest

from datacomp.errors import DatacompError, FilterError, UnknownNameError, UsageError
from datacomp.filtering import (
    FILTERS,
    Filter,
    filter_class,
    filter_from_params,
    filter_from_words,
    filter_spec,
    keep_unless,
    load_plugin,
)
from datacomp.filtering.catalogue import catalogue
from datacomp.filtering.combine import Cap
from datacomp.filtering.mix import Mix
from datacomp.filtering.registry import RESERVED
from datacomp.filtering.tree import LISTS, SELECTORS

PLUGIN = """
from dataclasses import dataclass
from datacomp.filtering import Filter, keep_unless

@dataclass(frozen=True, kw_only=True)
class Mine(Filter):
    name = {name!r}
    summary = "Mine."
    def select(self, view):
        return (keep_unless(rows, {{}}) for rows in view.parts())
"""


@dataclass(frozen=True, kw_only=True)
class Toy(Filter):
    name = "toy"
    summary = "A toy."
    share: float
    n: int = 3
    mode: Literal["a", "b"] = "a"
    column: str | None = None
    strict: bool = False

    def select(self, view):
        return (keep_unless(rows, {}) for rows in view.parts())


def test_words_become_values_of_the_declared_types():
    toy = filter_from_words(Toy, ["share=0.5", "n=7", "mode=b", "column=x=y", "strict=true"])
    assert toy == Toy(share=0.5, n=7, mode="b", column="x=y", strict=True)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["shar=1"], r"no parameter 'shar'.*share: float; n: int = 3; mode: 'a' \| 'b' = 'a'"),
        ([], r"needs share"),
        (["share"], r"'share' is not of the form"),
        (["share=half"], r"share=half of filter 'toy' is not float"),
        (["share=1", "mode=c"], r"mode=c of filter 'toy' is not 'a' \| 'b'"),
        (["share=1", "share=2"], r"'share' is given twice"),
    ],
)
def test_wrong_words_are_refused_naming_what_is_known(words, facts):
    with pytest.raises(UsageError, match=facts):
        filter_from_words(Toy, words)


def test_a_filter_is_rebuilt_from_the_params_of_its_spec():
    toy = Toy(share=0.25, column="x")
    assert filter_from_params(Toy, filter_spec(toy).params) == toy


def test_a_filter_without_parameters_says_so():
    with pytest.raises(UsageError, match="takes no parameters"):
        filter_from_words(filter_class("no_filter"), ["x=1"])


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'clip_score'"):
        filter_class("clip-score")


def write_plugin(folder, name, file="mine.py"):
    path = folder / file
    path.write_text(PLUGIN.format(name=name))
    return path


@pytest.mark.usefixtures("registered")
def test_a_plugin_file_registers_its_filters_once(tmp_path):
    path = write_plugin(tmp_path, "mine_a")
    assert load_plugin(path) == load_plugin(path) == ("mine_a",)
    assert filter_class("mine_a").__name__ == "Mine"
    assert FILTERS.origin("mine_a") == str(path)


@pytest.mark.usefixtures("registered")
def test_a_plugin_cannot_take_a_name_that_is_taken(tmp_path):
    with pytest.raises(DatacompError, match=r"two filters are named 'random'.*evil\.py"):
        load_plugin(write_plugin(tmp_path, "random", "evil.py"))


def test_a_plugin_without_a_filter_or_without_a_file_is_refused(tmp_path):
    (tmp_path / "empty.py").write_text("from datacomp.filtering import Filter\n")
    with pytest.raises(FilterError, match=r"empty\.py defines no subclass"):
        load_plugin(tmp_path / "empty.py")
    with pytest.raises(FilterError, match=r"no plugin file .*gone\.py"):
        load_plugin(tmp_path / "gone.py")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("def x(:", r"SyntaxError: .* \(broken.py, line 1\)"),
        ("\nimport no_such_module", "line 2: ModuleNotFoundError"),
        ("raise SystemExit(0)", "line 1: SystemExit"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_the_line(tmp_path, text, facts):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(FilterError, match=rf"broken.py cannot be loaded.*{facts}"):
        load_plugin(tmp_path / "broken.py")


@dataclass(frozen=True, kw_only=True)
class NotJson(Filter):
    name = "not_json"
    summary = "Hold what JSON cannot."
    what: object = ...

    def select(self, view):
        return ()


def test_fields_that_json_cannot_hold_are_named():
    with pytest.raises(FilterError, match=r":NotJson are not all JSON values: .*ellipsis"):
        filter_spec(NotJson())


def test_a_class_registered_under_another_name_than_its_own_is_refused():
    FILTERS.add("toy_alias", Toy, origin="test")
    with pytest.raises(FilterError, match="its class says name = 'toy'"):
        filter_class("toy_alias")


@pytest.mark.usefixtures("registered")
def test_a_broken_package_stands_in_the_catalogue_beside_the_others():
    FILTERS.add("broken", object(), origin="test")
    rows = {row.name: row for row in catalogue()}
    assert rows["broken"].error.startswith("broken: ")
    assert "not a subclass of Filter" in rows["broken"].error
    assert rows["clip_score"].error is None
    assert rows["clip_score"].needs == ("clip_l14_similarity_score",)
    assert (rows["clip_score"].kind, rows["basic_filter"].kind) == ("select", "row")


@pytest.mark.usefixtures("registered")
def test_words_of_selection_files_are_no_names(tmp_path):
    assert set(RESERVED) == {*LISTS, *SELECTORS, Cap.name, Mix.name}
    load_plugin(write_plugin(tmp_path, "cascade"))
    with pytest.raises(FilterError, match="'cascade' is a word of selection files"):
        filter_class("cascade")
