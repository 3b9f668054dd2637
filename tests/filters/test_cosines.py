"""Cosines tile by tile against all of them at once, by numpy and by torch."""

import numpy as np
import pytest

from datacomp_filters import cosines as module
from datacomp_filters.cosines import ByTorch, cosines
from datacomp_filters.embeddings import Sample, unit_rows

RNG = np.random.default_rng(3)
OTHERS = (RNG.standard_normal((700, 24)) * 7).astype(np.float16)
ROWS = unit_rows(RNG.standard_normal((50, 24)))[0]
EXACT = ROWS.astype(np.float64) @ unit_rows(OTHERS)[0].astype(np.float64).T


@pytest.fixture(params=["numpy", "torch"])
def by(request, monkeypatch):
    """Either way of computing, with tiles that do not divide anything."""
    monkeypatch.setattr(module, "TILE_FLOATS", 50 * 64 + 7)
    if request.param == "torch":
        pytest.importorskip("torch")
        return lambda others: ByTorch(others, "cpu")
    return lambda others: cosines(others, "cpu")


@pytest.mark.parametrize("scale", [1.0, 100.0, 1000.0])
def test_log_sums_are_those_of_all_others(by, scale):
    expected = np.logaddexp.reduce(EXACT * scale, axis=1)
    np.testing.assert_allclose(by(OTHERS).log_sums(ROWS, scale), expected, atol=2e-6 * scale)


def test_one_of_the_others_may_be_left_out_for_each_row(by):
    without = np.where(np.arange(len(ROWS)) % 5 == 0, -1, np.arange(len(ROWS)) * 14)
    left = np.arange(len(OTHERS)) != without[:, None]
    expected = np.logaddexp.reduce(np.where(left, EXACT * 100, -np.inf), axis=1)

    found = by(OTHERS).log_sums(ROWS, 100.0, without)
    np.testing.assert_allclose(found, expected, atol=2e-4)

    alone = by(OTHERS[:1]).log_sums(ROWS, 100.0, np.zeros(len(ROWS), np.int64))
    assert np.isneginf(alone).all()


def test_the_strongest_is_of_either_sign(by):
    np.testing.assert_allclose(by(OTHERS).strongest(ROWS), np.abs(EXACT).max(1), atol=1e-6)


def test_the_highest_before_looks_at_no_row_behind(by):
    unit = unit_rows(OTHERS)[0].astype(np.float64)
    before = np.where(np.tri(len(unit), k=-1, dtype=bool), unit @ unit.T, -1)
    np.testing.assert_allclose(by(OTHERS).highest_before(), before.max(1), atol=1e-6)


def test_without_others_there_is_nothing_to_sum(by):
    none = by(OTHERS[:0])
    assert np.isneginf(none.log_sums(ROWS, 100.0)).all()
    assert not none.strongest(ROWS).any()
    assert by(OTHERS[:1]).highest_before().tolist() == [-1]


def test_a_row_without_direction_is_told_and_leaves_the_others_as_they_are():
    raw = np.array([[3, 4], [np.nan, 1], [np.inf, 1], [0, 0], [-60000, 0]], np.float16)
    unit, usable = unit_rows(raw)
    assert usable.tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(unit[usable], [[0.6, 0.8], [-1, 0]], rtol=1e-6)
    assert not unit[~usable].any()


def test_a_sample_does_not_depend_on_the_order_in_which_rows_come():
    uids = np.zeros(1000, [("f0", "<u8"), ("f1", "<u8")])
    uids["f1"] = np.arange(1000)
    values = np.arange(1000.0)[:, None]
    whole, pieces = Sample(64, seed=5), Sample(64, seed=5)
    whole.add(uids, values)
    order = RNG.permutation(1000)
    for start in range(0, 1000, 30):
        piece = order[start : start + 30]
        pieces.add(uids[piece], values[piece])
    assert len(whole.uids) == len(np.unique(whole.uids)) == 64
    assert (whole.uids == pieces.uids).all()
    assert (whole.features[0] == pieces.features[0]).all()
    assert (whole.features[0][:, 0] == whole.uids["f1"]).all()
