"""Spherical k-means: what it finds, its limits, and what does not change it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.filtering import run_filter
from datacomp.pool import open_pool
from datacomp_filters import kmeans
from datacomp_filters.embeddings import unit_rows
from datacomp_filters.kmeans import iterate
from datacomp_filters.semdedup import SemDeDup

D = 8


def blobs(k=5, each=60, spread=0.1, seed=0):
    """Rows around `k` orthogonal directions, of any length; and which direction each has."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(k), each))
    rows = np.eye(D)[labels] + rng.standard_normal((k * each, D)) * spread
    return (rows * rng.uniform(0.5, 40, (k * each, 1))).astype(np.float16), labels


@pytest.fixture
def pool_of(tmp_path):
    """A pool of such rows in the given order, in so many parts."""

    def make(images, order=None, parts=1):
        folder = tmp_path / f"pool {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        order = np.arange(len(images)) if order is None else order
        for number, some in enumerate(np.array_split(order, parts)):
            uids = [f"{n * 7919:032x}" for n in some]
            pq.write_table(pa.table({"uid": uids}), folder / f"{number}.parquet")
            np.savez(folder / f"{number}.npz", l14_img=images[some])
        return open_pool(str(folder))

    return make


@pytest.fixture
def fitted(pool_of, tmp_path):
    """The centroids of a pool, and the clusters in the rows' order."""

    def fit(images, order=None, parts=1, **params):
        store = tmp_path / f"store {len(list(tmp_path.iterdir()))}"
        run_filter(SemDeDup(eps=0.1, **params), pool_of(images, order, parts), store)
        tables = [pq.read_table(f) for f in sorted(store.glob("nearest_centroid/*/*.parquet"))]
        labels = pa.concat_tables(tables)["centroid"].to_numpy()
        return centroids_in(store), labels if order is None else labels[np.argsort(order)]

    return fit


def centroids_in(store):
    with np.load(*store.glob("fits/spherical_kmeans/*/arrays.npz")) as found:
        return found["centroids"]


def test_separate_directions_become_clusters(fitted):
    images, truth = blobs()
    centroids, labels = fitted(images, clusters=5, parts=3)
    assert len({tuple(pair) for pair in np.stack([truth, labels], 1).tolist()}) == 5
    for label in range(5):
        mean = unit_rows(images)[0][labels == label].mean(axis=0)
        np.testing.assert_allclose(centroids[label], mean / np.linalg.norm(mean), atol=1e-5)


def test_parts_and_order_do_not_decide(fitted):
    images, _ = blobs(spread=0.5)
    order = np.random.default_rng(1).permutation(len(images))
    one, labels = fitted(images, clusters=7)
    other, again = fitted(images, order=order, parts=4, clusters=7)
    assert (one == other).all()
    assert (labels == again).all()


def test_a_seed_draws_another_start(fitted):
    images, _ = blobs(spread=2)
    some, _ = fitted(images, clusters=6, iterations=1)
    other, _ = fitted(images, clusters=6, iterations=1, seed=1)
    assert not np.allclose(some, other)


def test_iterations_never_fit_worse():
    images, _ = blobs(k=8, spread=1)
    centroids, last = unit_rows(images[:6])[0], -1.0
    for _ in range(20):
        centroids, fit = iterate(images, centroids, "cpu")
        assert fit >= last - 1e-6
        last = fit
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1, atol=1e-6)


def test_an_empty_cluster_starts_anew_where_the_fit_is_worst():
    images = np.array([[1, 0], [1, 0.1], [1, -0.1], [0.2, 1]], np.float32)
    same = unit_rows(images[[0, 0]])[0]
    moved, _ = iterate(images, same, "cpu")
    np.testing.assert_allclose(moved[1], unit_rows(images[3:])[0][0], atol=1e-6)
    np.testing.assert_allclose(moved[0], unit_rows(images.sum(0)[None])[0][0], atol=0.3)


def test_fewer_directions_than_clusters_are_no_trouble(fitted):
    images = np.repeat(np.eye(D, dtype=np.float16)[:3], 4, axis=0)
    centroids, labels = fitted(images, clusters=10)
    assert np.isfinite(centroids).all()
    assert len(set(labels.tolist())) == 3


def test_more_clusters_than_rows_become_as_many_as_rows(fitted):
    centroids, labels = fitted(blobs(k=2, each=3)[0], clusters=50)
    assert centroids.shape == (6, D)
    assert sorted(labels.tolist()) == [0, 1, 2, 3, 4, 5]


def test_the_pools_size_gives_the_number_of_clusters(fitted, monkeypatch):
    images, _ = blobs()
    assert len(fitted(images)[0]) == 1
    monkeypatch.setattr(kmeans, "ROWS_PER_CLUSTER", 100)
    assert len(fitted(images)[0]) == 3


def test_no_more_rows_are_held_than_faiss_trains_on(fitted, monkeypatch):
    images, _ = blobs(k=2, each=300)
    sizes = []
    iterate = kmeans.iterate

    def counted(images, centroids, device):
        sizes.append(len(images))
        return iterate(images, centroids, device)

    monkeypatch.setattr(kmeans, "iterate", counted)
    fitted(images, clusters=2, parts=5)
    assert set(sizes) == {512}


def test_rows_without_direction_belong_to_no_cluster(fitted):
    images, _ = blobs(k=2, each=10)
    images[3], images[8] = np.nan, 0
    centroids, labels = fitted(images, clusters=2)
    assert np.flatnonzero(np.isnan(labels)).tolist() == [3, 8]
    assert np.isfinite(centroids).all()
    _, labels = fitted(np.zeros((4, D), np.float16), clusters=2)
    assert np.isnan(labels.astype(float)).all()


def test_a_stopped_fit_goes_on_and_ends_with_the_same_centroids(pool_of, tmp_path, monkeypatch):
    pool, chosen = pool_of(blobs(k=8, each=40, spread=1)[0]), SemDeDup(eps=0.1, clusters=6)
    write, done = kmeans._write_checkpoint, []

    def counted(folder, centroids, iterations):
        write(folder, centroids, iterations)
        done.append(iterations)
        if stops and iterations == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(kmeans, "_write_checkpoint", counted)
    stops = False
    run_filter(chosen, pool, tmp_path / "whole")
    once, stops = list(done), True
    assert len(once) > 4
    done.clear()
    with pytest.raises(KeyboardInterrupt):
        run_filter(chosen, pool, tmp_path / "stopped")
    run_filter(chosen, pool, tmp_path / "stopped")
    assert done == once
    assert (centroids_in(tmp_path / "whole") == centroids_in(tmp_path / "stopped")).all()
