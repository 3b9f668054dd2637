"""The conformance kit: every check fails for a filter that breaks its rule, and for no other."""

from pathlib import Path
from unittest import SkipTest

import pytest

from datacomp.errors import UsageError
from datacomp.filtering import load_plugin
from datacomp.filtering.conformance import CHECKS, Broken, checks, subject_of

for file in ("bad_filters.py", "bad_steps.py"):
    load_plugin(Path(__file__).with_name(file))
BY_NAME = {check.name: check for check in CHECKS}
GOLDEN = Path(__file__).parents[1] / "golden" / "pool"


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def result_of(check, name, *words, pool=None):
    return BY_NAME[check].run(subject_of(name, *words, pool=pool))


FACTS = {
    "declaration": ("summary of Declaration", "'no full stop'"),
    "example": ("example = 'least=low'", "least=low of filter 'bad_example' is not float"),
    "frozen": ("Frozen of 'bad_frozen'", "can be changed"),
    "clone": ("least=0.5", "least=0.25"),
    "runs": ("It runs on ordinary rows", "no such model"),
    "declared_inputs": ("with text alone", "given all columns and features, it computes"),
    "declared_outputs": ("1 rows of bad_declared_outputs_value: double", "float"),
    "ordinary_values": ("bad_ordinary_values_value", "null for all"),
    "batch_size": ("in batches of 1 as in one of 30", "for row 0"),
    "row_order": ("with the rows in another order", "0.0, then"),
    "inputs_untouched": ("picture 0 as it was: RGB, 64 x 48", "RGB, 8 x 6"),
    "part_split": ("cut into other parts", "rows judged otherwise"),
    "repeatable": ("in a second run", "for uid"),
    "seed": ("whatever the state of random", "for uid"),
    "null_rows": ("where text is None", "object of type 'NoneType' has no len()"),
    "odd_captions": ("where text is ''", "string index out of range"),
    "odd_numbers": ("clip_l14_similarity_score is 3e+38", "OverflowError"),
    "odd_pictures": ("a picture of one pixel", "ZeroDivisionError"),
    "broken_pictures": ("for a broken picture", "0.0"),
    "odd_rows": ("where text hold null", "has no len()"),
    "empty_pool": ("An empty pool gives an empty subset", "empty"),
    "selection": ("13 copies of part 0000, uint32", "int64 (13,)"),
    "reasons": ("reasons like few_words", "Way too short!"),
    "view_twice": ("the same rows of part 0000 both times", "13 rows judged otherwise"),
    "no_network": ("no attempt to reach the network", "127.0.0.1:9"),
    "files": ("no file touched", "here/left_behind.txt"),
    "other_process": ("where strings hash otherwise", "for uid"),
}
WORDS = {"example": ("least=0.5",)}
WITH_OWN_TESTS = {"missing_asset", "light_import"}


def test_a_bad_filter_is_known_for_every_check():
    assert set(FACTS) | WITH_OWN_TESTS == set(BY_NAME)


@pytest.mark.parametrize("check", FACTS)
def test_it_fails_a_filter_that_breaks_the_rule(check):
    result = result_of(check, f"bad_{check}", *WORDS.get(check, ()))
    assert result.status == "failed", result
    expected, came = FACTS[check]
    assert expected in result.expected
    assert came in result.came
    assert result.mend


@pytest.mark.parametrize(
    ("check", "name", "facts"),
    [
        ("frozen", "bad_frozen_values", "unhashable type: 'list'"),
        ("declared_inputs", "bad_declared_inputs_select", "'text', which it does not declare"),
        ("declared_inputs", "bad_declared_inputs_around", "has no column 'text'"),
        ("declaration", "bad_exits", "SystemExit: 0"),
    ],
)
def test_it_finds_the_same_fault_elsewhere(check, name, facts):
    result = result_of(check, name)
    assert facts in result.came + result.why


def test_odd_features_are_tried_too():
    subject = subject_of("bad_odd_features")
    BY_NAME["runs"].demand(subject)
    result = BY_NAME["odd_numbers"].run(subject)
    assert (result.status, "features are not finite" in result.came) == ("failed", True)
    assert "where l14_img is nan" in result.expected


def test_a_good_filter_of_pictures_passes_every_check_that_applies():
    subject = subject_of("good_pictures")
    ended = {check.name: check.run(subject).status for check in CHECKS}
    assert "failed" not in ended.values()
    skipped = {name for name, status in ended.items() if status == "skipped"}
    assert skipped == {"missing_asset", "null_rows", "odd_captions", "odd_numbers", "odd_rows"}


def test_an_asset_read_too_early_is_found(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("some words")
    result = result_of("missing_asset", "bad_missing_asset", f"words={words}")
    assert result.status == "failed"
    assert "/nowhere/asset.bin" in result.expected
    assert "FileNotFoundError" in result.came


HEAVY = "import numba\n"
SLOW = """
import time
end = 4 * time.process_time()
while time.process_time() < end:
    pass
"""
PLUGIN = """
from dataclasses import dataclass
from datacomp.filtering import Filter

@dataclass(frozen=True, kw_only=True)
class Imports(Filter):
    name = "{name}"
    summary = "Import much."
    def select(self, view):
        return ()
"""


def test_a_network_that_is_reached_for_at_import_is_found(tmp_path):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN.format(name="imports_from_afar"))
    load_plugin(plugin)
    reach = "import socket\nsocket.create_connection(('127.0.0.1', 9))\n"
    plugin.write_text(reach + PLUGIN.format(name="imports_from_afar"))
    result = result_of("no_network", "imports_from_afar")
    assert (result.status, "127.0.0.1:9" in result.came) == ("failed", True)
    assert result_of("light_import", "imports_from_afar").status == "skipped"


@pytest.mark.parametrize(("code", "facts"), [(HEAVY, "numba"), (SLOW, "times: ")])
def test_a_heavy_import_is_found(tmp_path, code, facts):
    name = "imports_much" if code == HEAVY else "imports_long"
    plugin = tmp_path / "plugin.py"
    plugin.write_text(PLUGIN.format(name=name))
    load_plugin(plugin)
    plugin.write_text(code + PLUGIN.format(name=name))  # only the other process pays for it
    result = result_of("light_import", name)
    assert result.status == "failed"
    assert facts in result.came


def test_what_a_filter_waives_is_skipped_with_its_reason():
    result = result_of("part_split", "waives")
    assert (result.status, result.why) == (
        "skipped",
        "waived by the filter: it draws by position, as its paper does",
    )
    with pytest.raises(UsageError, match=r"waives 'no_such_check', which is no check"):
        subject_of("waives_nothing")


def test_other_columns_come_from_a_pool_that_has_them(make_pool):
    with pytest.raises(UsageError, match=r"'aesthetic' is no column.*--pool"):
        subject_of("needs_a_pool")
    pool = make_pool({"text": [f"row {n}" for n in range(40)], "aesthetic": [5.5] * 40})
    assert result_of("part_split", "needs_a_pool", pool=pool.url).status == "passed"
    few = make_pool({"text": ["row"], "aesthetic": [5.5]})
    with pytest.raises(UsageError, match=r"no part of 30 rows"):
        subject_of("needs_a_pool", pool=few.url)


def test_a_step_may_declare_how_far_its_rounding_goes():
    subject = subject_of("with_tolerance")
    assert [BY_NAME[name].run(subject).status for name in ("batch_size", "runs")] == ["passed"] * 2


def test_a_filter_for_gpus_is_skipped_where_there_is_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = result_of("runs", "needs_a_gpu")
    assert (result.status, "GPU" in result.why) == ("skipped", True)


def test_a_bound_check_is_what_pytest_calls():
    bound = {str(check): check for check in checks("bad_reasons")}
    with pytest.raises(Broken, match=r"expected .* came Way too short!\. Name the rule"):
        bound["reasons"]()
    with pytest.raises(SkipTest, match="no steps"):
        bound["batch_size"]()
    assert bound["empty_pool"]() is None


def test_every_check_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "third-party.md").read_text()
    assert [check.name for check in CHECKS if f"`{check.name}`" not in page] == []
