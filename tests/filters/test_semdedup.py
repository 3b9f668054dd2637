"""SemDeDup against its rule, written out; memory in groups, resuming, and planted copies."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import run_filter
from datacomp.pool import open_pool
from datacomp.subset import Subset, parse_uids
from datacomp_filters import novelty as module
from datacomp_filters.embeddings import unit_rows
from datacomp_filters.novelty import groups
from datacomp_filters.semdedup import SemDeDup

N, D = 360, 10
UIDS = [f"{(n * 7919) % 1009:032x}" for n in range(N)]


@pytest.fixture(scope="module")
def images():
    """120 images, each there three times: as it is, and with a little and more noise."""
    rng = np.random.default_rng(9)
    base = unit_rows(rng.standard_normal((120, D)))[0]
    noise = [base + rng.standard_normal(base.shape) * s for s in (0, 0.02, 0.1)]
    return (np.concatenate(noise) * rng.uniform(1, 30, (N, 1))).astype(np.float16)


@pytest.fixture
def pool_of(tmp_path):
    """A pool of such rows in the given order, in so many parts."""

    def make(images, order=None, parts=1):
        folder = tmp_path / f"pool {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        order = np.arange(len(images)) if order is None else order
        for number, some in enumerate(np.array_split(order, parts)):
            table = pa.table({"uid": [UIDS[n] for n in some]})
            pq.write_table(table, folder / f"{number}.parquet")
            np.savez(folder / f"{number}.npz", l14_img=images[some])
        return open_pool(str(folder))

    return make


def novelty_of(images, labels, centroids, keep):
    """The rule as the paper writes it, a cluster at a time, in float64."""
    f = unit_rows(images)[0].astype(np.float64)
    novelty = np.full(len(f), np.nan)
    fit = np.einsum("nd,nd->n", f, centroids[labels]).astype(np.float32)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        sign = 1 if keep == "hard" else -1
        rows = np.array(sorted(rows, key=lambda row: (sign * fit[row], UIDS[row])))
        for place, row in enumerate(rows):
            before = f[rows[:place]] @ f[row]
            novelty[row] = 1 - before.max(initial=-1)
    return novelty


def stored(store):
    """Clusters, centroids and novelty of a pool whose rows stand as they came."""
    labels, found = (
        pa.concat_tables([pq.read_table(f) for f in sorted(store.glob(f"{name}/*/*.parquet"))])
        for name in ("nearest_centroid", "novelty_in_cluster")
    )
    with np.load(*store.glob("fits/spherical_kmeans/*/arrays.npz")) as arrays:
        centroids = arrays["centroids"]
    return labels["centroid"].to_numpy(), centroids, found["novelty"].to_numpy()


def subset_of(rows):
    return Subset.from_uids(parse_uids([UIDS[n] for n in rows])).uids


@pytest.mark.parametrize("keep", ["hard", "easy"])
@pytest.mark.parametrize("clusters", [1, 7])
def test_a_row_is_as_novel_as_the_rows_before_it_leave_it(
    images, pool_of, tmp_path, keep, clusters
):
    chosen = SemDeDup(eps=0.05, keep=keep, clusters=clusters)
    result = run_filter(chosen, pool_of(images, parts=3), tmp_path / "s")
    labels, centroids, found = stored(tmp_path / "s")
    expected = novelty_of(images, labels, centroids.astype(np.float64), keep)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (result.subset.uids == subset_of(np.flatnonzero(expected >= 0.05))).all()
    assert np.count_nonzero(expected == 2) == clusters


def test_of_copies_one_is_kept(images, pool_of, tmp_path):
    copies = images.copy()
    copies[120:240] = copies[:120] * 2
    copies[240:] = copies[:120] * 0.5
    result = run_filter(SemDeDup(eps=0.001, clusters=1), pool_of(copies), tmp_path / "s")
    kept = np.isin(parse_uids(UIDS), result.subset.uids)
    assert (kept.reshape(3, 120).sum(axis=0) == 1).all()


def test_another_eps_or_fraction_computes_nothing(images, pool_of, tmp_path):
    pool = pool_of(images)
    few = run_filter(SemDeDup(eps=0.1), pool, tmp_path / "s")
    more = run_filter(SemDeDup(eps=0.01), pool, tmp_path / "s")
    half = run_filter(SemDeDup(fraction=0.5), pool, tmp_path / "s")
    assert [step.done for step in (*more.steps, *half.steps)] == [0, 0, 0, 0]
    assert few.counts.kept < more.counts.kept
    _, _, found = stored(tmp_path / "s")
    assert half.counts.kept == 180
    assert np.sort(found)[180] <= found[np.isin(parse_uids(UIDS), half.subset.uids)].min()


def test_parts_and_order_do_not_decide(images, pool_of, tmp_path):
    order = np.random.default_rng(0).permutation(N)
    one = run_filter(SemDeDup(eps=0.03, clusters=5), pool_of(images), tmp_path / "a")
    pool = pool_of(images, order=order, parts=4)
    other = run_filter(SemDeDup(eps=0.03, clusters=5), pool, tmp_path / "b")
    assert (one.subset.uids == other.subset.uids).all()


def test_memory_changes_how_often_the_pool_is_read_and_nothing_else(images, pool_of, tmp_path):
    pool = pool_of(images, parts=2)
    for name, memory_gb in (("a", 4.0), ("b", 1e-5), ("c", 1e-9)):
        run_filter(SemDeDup(eps=0.03, clusters=9, memory_gb=memory_gb), pool, tmp_path / name)
    found = [stored(tmp_path / name)[2] for name in "abc"]
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


@pytest.mark.parametrize(
    ("sizes", "first", "expected"),
    [
        ([3, 3, 3, 3], 0, [(0, 2), (2, 4)]),
        ([9, 1, 1, 9], 0, [(0, 1), (1, 3), (3, 4)]),
        ([0, 0, 7, 0], 0, [(0, 2), (2, 3), (3, 4)]),
        ([3, 3, 3, 3], 1, [(1, 3), (3, 4)]),
        ([1, 1], 2, []),
        ([], 0, []),
    ],
)
def test_groups_of_clusters_fit_the_budget_or_hold_one(sizes, first, expected):
    assert list(groups(np.array(sizes, np.int64), 6, first)) == expected


def test_a_stopped_run_goes_on_with_its_last_group(images, pool_of, tmp_path, monkeypatch):
    pool, params = pool_of(images, parts=2), {"eps": 0.03, "clusters": 9, "memory_gb": 1e-9}
    whole = run_filter(SemDeDup(**params), pool, tmp_path / "whole")
    gather, seen = module._gather, []

    def stops(view, key, first, end):
        seen.append(first)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return gather(view, key, first, end)

    monkeypatch.setattr(module, "_gather", stops)
    with pytest.raises(KeyboardInterrupt):
        run_filter(SemDeDup(**params), pool, tmp_path / "s")
    result = run_filter(SemDeDup(**params), pool, tmp_path / "s")
    assert seen == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert (result.subset.uids == whole.subset.uids).all()
    assert (stored(tmp_path / "s")[2] == stored(tmp_path / "whole")[2]).all()
    assert not [*(tmp_path / "s").rglob("*.npy"), *(tmp_path / "s").rglob("progress.json")]


def test_what_another_pool_left_behind_is_not_taken(images, pool_of, tmp_path, monkeypatch):
    params = {"eps": 0.03, "clusters": 9, "memory_gb": 1e-9}
    other = pool_of(images[::-1] + np.float16(1))
    whole = run_filter(SemDeDup(**params), other, tmp_path / "whole")

    def stops(progress, clusters_done):
        record(progress, clusters_done)
        raise KeyboardInterrupt

    record = module._Progress.record
    monkeypatch.setattr(module._Progress, "record", stops)
    with pytest.raises(KeyboardInterrupt):
        run_filter(SemDeDup(**params), pool_of(images), tmp_path / "s")
    monkeypatch.setattr(module._Progress, "record", record)
    result = run_filter(SemDeDup(**params), other, tmp_path / "s")
    assert (result.subset.uids == whole.subset.uids).all()


def test_rows_without_direction_are_dropped_and_drop_nobody(images, pool_of, tmp_path):
    broken = images.copy()
    broken[:5], broken[5:9] = np.nan, 0
    result = run_filter(SemDeDup(eps=0.0), pool_of(broken, parts=2), tmp_path / "s")
    assert result.counts.dropped == {"no_score": 9, "below_cut": 0}
    assert result.counts.kept == N - 9


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "eps and fraction"),
        ({"eps": 0.1, "fraction": 0.5}, "eps and fraction"),
        ({"eps": -0.1}, "eps"),
        ({"fraction": 1.5}, "fraction"),
        ({"eps": 0.1, "clusters": 0}, "clusters"),
        ({"eps": 0.1, "iterations": 0}, "iterations"),
        ({"eps": 0.1, "memory_gb": 0.0}, "memory_gb"),
    ],
)
def test_impossible_parameters_are_refused(params, named):
    with pytest.raises(UsageError, match=named):
        SemDeDup(**params)
