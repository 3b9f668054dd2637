"""The nearest centroid: against float64, at ties, in tiles; and reading what was released."""

import numpy as np
import pytest
import torch

from datacomp.errors import FilterError
from datacomp_filters.arrays import read_matrix
from datacomp_filters.nearest import NONE, nearest


def inner_product(rows, centroids):
    return (rows.astype(np.float64) @ centroids.T.astype(np.float64)).argmax(axis=1)


def distance(rows, centroids):
    gaps = rows[:, None].astype(np.float64) - centroids[None].astype(np.float64)
    return np.square(gaps).sum(axis=2).argmin(axis=1)


@pytest.mark.parametrize(("metric", "rule"), [("inner_product", inner_product), ("l2", distance)])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_it_is_the_exact_nearest(metric, rule, kind):
    rng = np.random.default_rng(0)
    rows, centroids = rng.normal(size=(300, 32)), rng.normal(size=(70, 32))
    rows, centroids = rows.astype(kind), (centroids * rng.uniform(0.2, 3, (70, 1))).astype("f4")
    found = nearest(centroids, metric, "cpu")(rows)
    assert found.dtype == np.int32
    assert found.tolist() == rule(rows, centroids).tolist()


def test_near_ties_are_decided_in_float64(monkeypatch):
    rng = np.random.default_rng(1)
    base = rng.normal(size=(1, 512)).astype(np.float32)
    centroids = np.concatenate([base * (1 + k * 2.0**-23) for k in range(8)]).astype(np.float32)
    rows = rng.normal(size=(64, 512)).astype(np.float32)
    exact = inner_product(rows, centroids).tolist()
    for tile in (8, 8 * 7, 1 << 26):
        monkeypatch.setattr("datacomp_filters.nearest.TILE_FLOATS", tile)
        assert nearest(centroids, "inner_product", "cpu")(rows).tolist() == exact


@pytest.mark.parametrize("metric", ["inner_product", "l2"])
def test_exact_ties_go_to_the_lowest_index(metric):
    centroids = np.array([[0, 1], [1, 0], [1, 0], [0, 1]], np.float32)
    rows = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], np.float16)
    assert nearest(centroids, metric, "cpu")(rows).tolist() == [1, 0, 0, 0]


def test_rows_that_are_not_finite_have_none():
    rows = np.array([[1, 0], [np.nan, 0], [np.inf, 0], [0, 1]], np.float16)
    found = nearest(np.eye(2, dtype=np.float32), "inner_product", "cpu")(rows)
    assert found.tolist() == [0, NONE, NONE, 1]
    assert nearest(np.eye(2), "l2", "cpu")(np.empty((0, 2), np.float16)).tolist() == []


GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("device", ["torch's cpu", pytest.param("cuda", marks=GPU)])
@pytest.mark.parametrize("metric", ["inner_product", "l2"])
def test_torch_finds_the_same_near_ties_included(metric, device):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(500, 96)).astype(np.float16)
    centroids = rng.normal(size=(300, 96)).astype(np.float32)
    centroids[100:] = centroids[:200] * np.float32(1 + 2.0**-22)
    by_torch = nearest(centroids, metric, device.removeprefix("torch's ") + ":0")
    assert by_torch(rows).tolist() == nearest(centroids, metric, "cpu")(rows).tolist()


def test_the_originals_pt_files_are_read(tmp_path):
    centroids = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    torch.save(centroids, tmp_path / "centroids.pt")
    torch.save({"image_features": torch.ones(3, 8).half()}, tmp_path / "features.pt")
    assert np.array_equal(read_matrix(tmp_path / "centroids.pt"), centroids)
    features = read_matrix(tmp_path / "features.pt", "image_features")
    assert (features.dtype, features.shape) == (np.float16, (3, 8))


def test_arrays_pickled_by_numpy_1_are_read(tmp_path):
    path = tmp_path / "centroids.pt"
    torch.save(np.ones((2, 2), np.float32), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert read_matrix(path).tolist() == [[1, 1], [1, 1]]


class Harmful:
    """What would run code when unpickled."""

    def __reduce__(self):
        return print, ("run",)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    torch.save(Harmful(), tmp_path / "harmful.pt")
    with pytest.raises(FilterError, match="holds more than arrays, and is not opened"):
        read_matrix(tmp_path / "harmful.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("array", [np.ones(3, np.float32), np.ones((3, 3), np.int64)])
def test_other_shapes_and_types_are_refused(tmp_path, array):
    np.save(tmp_path / "odd.npy", array)
    with pytest.raises(FilterError, match="expected floats, one row each"):
        read_matrix(tmp_path / "odd.npy")
