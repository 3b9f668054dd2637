"""negCLIPLoss against its formula, written out; batches, and what does not change the score."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import Host, run_filter
from datacomp.pool import open_pool
from datacomp.subset import Subset, format_uids, parse_uids
from datacomp_filters.embeddings import unit_rows
from datacomp_filters.negative_clip_loss import SCORE, NegativeClipLoss, ReferenceBatches
from datacomp_filters.negcliploss import NegClipLoss

N, D = 300, 16
UIDS = [f"{n * 7919:032x}" for n in range(N)]


@pytest.fixture(scope="module")
def pairs():
    """Images and captions that go together more or less: float16, of any length."""
    rng = np.random.default_rng(11)
    images = rng.standard_normal((N, D))
    captions = images * rng.uniform(0, 1, (N, 1)) + rng.standard_normal((N, D))
    return tuple((a * rng.uniform(1, 30, (N, 1))).astype(np.float16) for a in (images, captions))


@pytest.fixture
def pool_of(tmp_path):
    """A pool of pairs, its rows in the given order, in so many parts."""

    def make(images, captions, order=None, parts=1):
        folder = tmp_path / f"pool {len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        order = np.arange(len(images)) if order is None else order
        for number, rows in enumerate(np.array_split(order, parts)):
            pq.write_table(pa.table({"uid": [UIDS[n] for n in rows]}), folder / f"{number}.parquet")
            np.savez(folder / f"{number}.npz", l14_img=images[rows], l14_txt=captions[rows])
        return open_pool(str(folder))

    return make


def brute_force(images, captions, temperature=0.01):
    f, g = (unit_rows(a)[0].astype(np.float64) for a in (images, captions))
    logits = f @ g.T / temperature
    sums = np.logaddexp.reduce(logits, axis=1) + np.logaddexp.reduce(logits, axis=0)
    return temperature * (np.diag(logits) - sums / 2)


def scores_of(pool, store, **params):
    """The stored scores by uid, in the order of UIDS."""
    run_filter(NegClipLoss(**params), pool, store)
    tables = [pq.read_table(f) for f in store.glob("negative_clip_loss/*/*.parquet")]
    table = pa.concat_tables(tables)
    uids = np.stack([table["uid_hi"].to_numpy(), table["uid_lo"].to_numpy()], 1)
    wanted = parse_uids(UIDS[: len(uids)])
    place = {(int(high), int(low)): n for n, (high, low) in enumerate(uids)}
    order = [place[int(uid["f0"]), int(uid["f1"])] for uid in wanted]
    return table[SCORE].to_numpy()[order]


@pytest.mark.parametrize("batch_size", [N, N + 1, 32_768])
def test_a_pool_of_one_batch_has_the_score_of_the_formula(pairs, pool_of, tmp_path, batch_size):
    found = scores_of(pool_of(*pairs, parts=3), tmp_path / "s", batch_size=batch_size, batches=4)
    np.testing.assert_allclose(found, brute_force(*pairs), atol=1e-6)


def test_another_temperature(pairs, pool_of, tmp_path):
    found = scores_of(pool_of(*pairs), tmp_path / "s", temperature=0.07)
    np.testing.assert_allclose(found, brute_force(*pairs, 0.07), atol=1e-6)


def test_pairs_that_stand_out_from_nearly_all_are_told_apart(pool_of, tmp_path):
    images = np.random.default_rng(5).standard_normal((N, 64)).astype(np.float16)
    unit = unit_rows(images)[0].astype(np.float64)
    excess = (unit @ unit.T - 1) / 0.01
    np.fill_diagonal(excess, -np.inf)

    found = scores_of(pool_of(images, images), tmp_path / "s")

    # far below the rounding of a cosine, 6e-8
    assert np.abs(found).max() < 1e-12
    np.testing.assert_allclose(found, -0.01 * np.exp(excess).sum(1), rtol=1e-3)


def test_every_row_is_judged_in_a_batch_that_it_is_in(pairs, pool_of, tmp_path):
    size, batches = 40, 3
    found = scores_of(pool_of(*pairs), tmp_path / "s", batch_size=size, batches=batches)
    (file,) = (tmp_path / "s").glob("fits/reference_batches/*/arrays.npz")
    with np.load(file) as arrays:
        drawn = arrays["uid_low"] // 7919
    assert drawn.shape == (batches, size)
    assert len(set(map(tuple, np.sort(drawn, axis=1)))) == batches
    for row in range(0, N, 7):
        expected = []
        for members in drawn.astype(int).tolist():
            assert len(set(members)) == size
            batch = members if row in members else [*members[:-1], row]
            expected.append(brute_force(*(a[batch] for a in pairs))[batch.index(row)])
        assert found[row] == pytest.approx(np.mean(expected), abs=1e-6)


def test_more_batches_come_nearer_to_their_mean(pairs, pool_of, tmp_path):
    pool = pool_of(*pairs)
    params = {"batch_size": 60}
    best = scores_of(pool, tmp_path / "best", batches=200, **params)
    few = scores_of(pool, tmp_path / "few", batches=2, seed=1, **params)
    more = scores_of(pool, tmp_path / "more", batches=20, seed=1, **params)
    assert np.abs(more - best).mean() < 0.6 * np.abs(few - best).mean()


def test_neither_parts_nor_order_decide(pairs, pool_of, tmp_path):
    order = np.random.default_rng(0).permutation(N)
    params = {"batch_size": 64, "batches": 2}
    one = scores_of(pool_of(*pairs), tmp_path / "a", **params)
    other = scores_of(pool_of(*pairs, order=order, parts=4), tmp_path / "b", **params)
    np.testing.assert_allclose(one, other, atol=1e-6)
    arrays = [np.load(*(tmp_path / s).glob("fits/*/*/arrays.npz")) for s in ("a", "b")]
    for name in arrays[0].files:
        assert (arrays[0][name] == arrays[1][name]).all()


def test_a_row_without_direction_has_no_score_and_stands_in_no_batch(pairs, pool_of, tmp_path):
    images, captions = (a.copy() for a in pairs)
    images[5], captions[9], captions[200] = np.nan, 0, np.inf
    bad = [5, 9, 200]
    found = scores_of(pool_of(images, captions, parts=2), tmp_path / "s")
    assert np.flatnonzero(np.isnan(found)).tolist() == bad
    left = np.delete(np.arange(N), bad)
    np.testing.assert_allclose(found[left], brute_force(*(a[left] for a in pairs)), atol=1e-6)


def test_the_highest_scores_are_kept_exactly(pairs, pool_of, tmp_path):
    result = run_filter(NegClipLoss(fraction=0.29), pool_of(*pairs, parts=2), tmp_path / "s")
    best = np.argsort(-brute_force(*pairs))[: int(0.29 * N)]
    assert result.counts.dropped == {"no_score": 0, "below_cut": N - 87}
    kept = Subset.from_uids(parse_uids([UIDS[n] for n in best]))
    assert format_uids(result.subset.uids) == format_uids(kept.uids)


def test_a_caption_that_goes_with_every_image_counts_less(pool_of, tmp_path):
    rng = np.random.default_rng(2)
    common = np.zeros(D)
    common[0] = 1
    images = unit_rows(rng.standard_normal((50, D)) * 0.2 + common)[0]
    captions = images.copy()
    captions[0] = common
    own = unit_rows(captions)[0][0] @ images[0]
    away = images[1] - (images[1] @ common) * common
    captions[1] = own * images[1] + np.sqrt(1 - own**2) * unit_rows(away[None])[0][0]
    found = scores_of(pool_of(images, captions), tmp_path / "s")
    assert found[0] < found[1] - 0.001


def test_a_step_holds_to_null_for_an_empty_pool_and_an_empty_batch():
    step = NegativeClipLoss()
    empty = {
        "images": np.zeros((1, 0, 4), np.float16),
        "captions": np.zeros((1, 0, 4), np.float16),
        "uid_high": np.zeros((1, 0), np.uint64),
        "uid_low": np.zeros((1, 0), np.uint64),
    }
    compute = step.open(Host(device="cpu", arrays=lambda fit: empty))
    for n in (0, 2):
        lists = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(4 * n, np.float16)), 4)
        batch = pa.record_batch({"uid": UIDS[:n], "l14_img": lists, "l14_txt": lists})
        assert compute(batch).column(SCORE).to_pylist() == [None] * n


def test_the_encoder_says_which_embeddings_are_read():
    assert NegativeClipLoss().features == ("l14_img", "l14_txt")
    assert ReferenceBatches(encoder="b32").features == ("b32_img", "b32_txt")


@pytest.mark.parametrize(
    "params", [{"fraction": 1.1}, {"temperature": 0.0}, {"batch_size": 0}, {"batches": 0}]
)
def test_impossible_parameters_are_refused(params):
    (name,) = params
    with pytest.raises(UsageError, match=name):
        NegClipLoss(**params)
