"""Selection files: plain YAML; locks: those of their subset."""

import tracemalloc

import pytest

from datacomp.submission.checks import check_file
from datacomp.submission.selection_file import check_lock
from datacomp.subset.blocks import SubsetFacts

GOOD = """
columns:
  both: {fuse: minmax, of: [{weight: 0.5, column: a}, {weight: 0.5, column: b}]}
select:
  cascade:
    - basic_filter
    - top_fraction: {column: both, fraction: 0.3}
"""


@pytest.fixture
def check(tmp_path):
    def checked(text):
        path = tmp_path / "selection.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return check_file("selection", path)

    return checked


@pytest.mark.parametrize("text", [GOOD, "select: mine", "select: {mine: {n: 3, only: null}}"])
def test_a_good_one(check, text):
    assert check(text).findings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select: " + "x" * 70_000, "F501"),
        (b"select: \xff", "F501"),
        ("select: [", "F502"),
        ("select: &a [1]\ncolumns: *a", "F502"),
        ("select: &a [1]", "F502"),
        ("select: !!python/object/apply:os.system ['id']", "F502"),
        ("select: !mine 1", "F502"),
        ("select: 2024-01-01", "F502"),
        ("select: !!binary aGk=", "F502"),
        ("select: !!set {a}", "F502"),
        ("select: a\nselect: b", "F502"),
        ("select: {1: a}", "F502"),
        ("select: {[a]: b}", "F502"),
        ("select: a\n---\nselect: b", "F502"),
        ("", "F503"),
        ("- a", "F503"),
        ("columns: {}", "F503"),
        ("select: a\nmore: b", "F503"),
        ("select: " + "[" * 100 + "]" * 100, "F504"),
        ("select: [" + "a, " * 6000 + "]", "F504"),
    ],
)
def test_other_files(check, text, code):
    checked = check(text)
    assert [finding.code for finding in checked.findings] == [code]


def test_a_billion_laughs(check):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    tracemalloc.start()
    assert [finding.code for finding in check("\n".join(lines)).findings] == ["F502"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_locks():
    facts = SubsetFacts("0" * 64, 4, 3)

    assert check_lock(vars(facts) | {"more": 1}, facts) == []
    assert [f.code for f in check_lock({"sha256": "0" * 64, "n": 4}, facts)] == ["F511"]
