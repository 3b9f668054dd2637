"""The fingerprint of a part: every value counts, what lies under nulls and in layout does not."""

import pyarrow as pa
import pytest

from datacomp.filtering.fingerprint import part_fingerprint
from datacomp.filtering.spec import StepSpec


def fingerprint(pool):
    spec = StepSpec("s", 1, "t", {}, ("x",), (), {"y": "float"}, {}, "cpu")
    return part_fingerprint(pool, pool.parts[0], spec)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["a", None], ["a", ""]),
        ([1, None], [1, 0]),
        ([1.0, 2.0], [1.0, 2.5]),
        ([True, False], [True, None]),
        ([[1.0], [2.0]], [[1.0, 2.0], []]),
        ([[1.0], None], [[1.0], []]),
        ([[[1.0]], []], [[], [[1.0]]]),
        ([b"a", b""], [b"", b"a"]),
        ([{"k": 1}, {"k": 2}], [{"k": 1}, {"k": 3}]),
        (pa.array([1, 2], pa.int32()), pa.array([1, 2], pa.int64())),
    ],
)
def test_different_values_have_different_fingerprints(make_pool, a, b):
    assert fingerprint(make_pool({"x": a})) != fingerprint(make_pool({"x": b}))


def test_the_uids_count(make_pool):
    uids = [f"{n:032x}" for n in (7, 8)]
    assert fingerprint(make_pool({"x": [1, 2]})) != fingerprint(
        make_pool({"x": [1, 2], "uid": uids})
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_an_empty_part_has_a_fingerprint(make_pool, kind):
    assert len(fingerprint(make_pool({"x": pa.array([], kind)}))) == 64
