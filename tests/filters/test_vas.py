"""VAS and VAS-D against their formulas and rounds, written out."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_spec, run_filter
from datacomp.pool import open_pool
from datacomp.subset import Subset, parse_uids
from datacomp_filters import vas_rounds
from datacomp_filters.embeddings import unit_rows
from datacomp_filters.vas import Vas

N, D = 400, 12
UIDS = [f"{n * 7919:032x}" for n in range(N)]


@pytest.fixture(scope="module")
def rows():
    """Images (float16, of any length) and CLIP scores."""
    rng = np.random.default_rng(7)
    images = rng.standard_normal((N, D)) * np.linspace(0.4, 2, D) * rng.uniform(1, 20, (N, 1))
    return images.astype(np.float16), rng.uniform(0, 0.4, N).astype(np.float32)


@pytest.fixture
def pool_of(tmp_path):
    """A pool of such rows in the given order, in so many parts."""

    def make(images, scores, order=None, parts=1, encoder="l14"):
        folder = tmp_path / f"pool {len(list(tmp_path.iterdir()))}"
        (folder / "metadata").mkdir(parents=True)
        order = np.arange(len(images)) if order is None else order
        for number, some in enumerate(np.array_split(order, parts)):
            table = {
                "uid": [UIDS[n] for n in some],
                f"clip_{encoder}_similarity_score": pa.array(scores[some], from_pandas=True),
            }
            pq.write_table(pa.table(table), folder / "metadata" / f"{number}.parquet")
            np.savez(folder / "metadata" / f"{number}.npz", **{f"{encoder}_img": images[some]})
        return open_pool(str(folder))

    return make


def unit(images):
    return unit_rows(images)[0].astype(np.float64)


def best(scores, among, n):
    return np.sort(among[np.argsort(-scores[among], kind="stable")[:n]])


def alignment(images, of):
    moment = np.einsum("ni,nj->ij", of, of) / len(of)
    return np.einsum("ni,ij,nj->n", images, moment, images)


def rounds_of(images, scores, fraction, clip_fraction, rounds):
    """The rows that VAS-D keeps."""
    f, n = unit(images), int(len(images) * fraction)
    left = best(scores, np.arange(len(f)), int(len(images) * clip_fraction))
    first, moment_of = len(left), np.arange(len(f))
    for number in range(1, rounds + 1):
        size = first - (first - n) * number // rounds
        left = moment_of = best(alignment(f, f[moment_of]), left, size)
    return left


def subset_of(rows):
    return Subset.from_uids(parse_uids([UIDS[n] for n in rows])).uids


def test_with_a_target_the_most_aligned_of_the_well_captioned_are_kept(rows, pool_of, tmp_path):
    images, scores = rows
    target = (np.random.default_rng(1).standard_normal((90, D)) ** 3).astype(np.float32)
    # Rows without a direction are no part of the target.
    target[3], target[4] = np.nan, 0
    folder = pool_of(target, np.zeros(90, np.float32), parts=2).url
    result = run_filter(Vas(target=folder), pool_of(images, scores, parts=3), tmp_path / "s")
    aligned = alignment(unit(images), unit(np.delete(target, [3, 4], axis=0)))
    expected = best(aligned, best(scores, np.arange(N), 120), 80)
    assert (result.subset.uids == subset_of(expected)).all()
    assert result.counts.dropped == {"no_score": 0, "earlier_cut": 280, "below_cut": 40}


def test_one_round_cuts_by_the_moment_of_the_whole_pool(rows, pool_of, tmp_path):
    images, scores = rows
    result = run_filter(Vas(rounds=1), pool_of(images, scores, parts=2), tmp_path / "s")
    f = unit(images)
    expected = best(alignment(f, f), best(scores, np.arange(N), 120), 80)
    assert (result.subset.uids == subset_of(expected)).all()


@pytest.mark.parametrize("rounds", [2, 7, 40, 100])
def test_rounds_drop_what_the_moment_of_the_rest_aligns_least(rows, pool_of, tmp_path, rounds):
    params = {"fraction": 0.1, "clip_fraction": 0.6, "rounds": rounds}
    result = run_filter(Vas(**params), pool_of(*rows, parts=3), tmp_path / "s")
    assert (result.subset.uids == subset_of(rounds_of(*rows, **params))).all()
    assert sum(result.counts.dropped.values()) == 360


def test_parts_and_order_do_not_decide(rows, pool_of, tmp_path):
    order = np.random.default_rng(0).permutation(N)
    pools = (pool_of(*rows), pool_of(*rows, order=order, parts=4))
    one, other = (
        run_filter(Vas(rounds=20), pool, tmp_path / name)
        for name, pool in zip("ab", pools, strict=True)
    )
    assert (one.subset.uids == other.subset.uids).all()


def test_rows_without_score_or_direction_are_never_kept_and_count(rows, pool_of, tmp_path):
    images, scores = rows[0].copy(), rows[1].copy()
    top = np.argsort(-scores)
    images[top[:5]], scores[top[5:20]] = np.nan, np.nan
    pool = pool_of(images, scores, parts=2)
    result = run_filter(Vas(fraction=0.3, clip_fraction=0.3, rounds=3), pool, tmp_path / "s")
    assert result.counts.kept == 115
    assert result.counts.dropped["no_score"] == 20
    assert not np.isin(subset_of(top[:20]), result.subset.uids).any()


def test_fewer_candidates_than_asked_for_are_all_kept(rows, pool_of, tmp_path):
    images, scores = rows[0], rows[1].copy()
    scores[30:] = np.nan
    result = run_filter(Vas(rounds=5), pool_of(images, scores), tmp_path / "s")
    assert (result.subset.uids == subset_of(range(30))).all()


def test_a_stopped_run_goes_on_with_its_last_round(rows, pool_of, tmp_path, monkeypatch):
    params = {"fraction": 0.1, "clip_fraction": 0.6, "rounds": 12}
    pool, store, seen = pool_of(*rows, parts=2), tmp_path / "s", []
    find = vas_rounds.find_cut

    def stops(scan, n):
        seen.append(n)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return find(scan, n)

    monkeypatch.setattr(vas_rounds, "find_cut", stops)
    with pytest.raises(KeyboardInterrupt):
        run_filter(Vas(**params), pool, store)
    result = run_filter(Vas(**params), pool, store)
    assert seen[5:7] == [140, 140]
    assert len(seen) == 12
    assert (result.subset.uids == subset_of(rounds_of(*rows, **params))).all()
    assert not [*store.rglob("*.npy"), *store.rglob("rounds.npz")]


def test_what_another_pool_left_behind_is_not_taken(rows, pool_of, tmp_path, monkeypatch):
    images, scores = rows
    params, store = {"fraction": 0.1, "clip_fraction": 0.6, "rounds": 12}, tmp_path / "s"
    write = vas_rounds._write_checkpoint

    def stops(candidates, done, kept):
        write(candidates, done, kept)
        raise KeyboardInterrupt

    monkeypatch.setattr(vas_rounds, "_write_checkpoint", stops)
    with pytest.raises(KeyboardInterrupt):
        run_filter(Vas(**params), pool_of(images, scores), store)
    monkeypatch.setattr(vas_rounds, "_write_checkpoint", write)
    other = (images[::-1], scores)
    result = run_filter(Vas(**params), pool_of(*other), store)
    assert (result.subset.uids == subset_of(rounds_of(*other, **params))).all()


def test_the_encoder_says_which_columns_are_read(rows, pool_of, tmp_path):
    pool = pool_of(*rows, encoder="b32")
    assert run_filter(Vas(encoder="b32", rounds=2), pool, tmp_path / "s").counts.kept == 80


def test_a_target_is_known_by_its_content_and_makes_the_filter_benchmark_aware(rows, pool_of):
    images, scores = rows
    some, same = (pool_of(images[:50], scores[:50]).url for _ in range(2))
    other = pool_of(images[50:99], scores[50:99]).url
    keys = [filter_spec(Vas(target=target)).steps[0].key for target in (some, same, other)]
    assert keys[0] == keys[1] != keys[2]
    assert filter_spec(Vas(target=some)).uses_eval_related_data == "train"
    assert filter_spec(Vas()).uses_eval_related_data == "none"


def test_a_target_of_another_width_is_refused(rows, pool_of, tmp_path):
    images, scores = rows
    target = pool_of(images[:, :6], scores).url
    with pytest.raises(FilterError, match="12 dimensions, the target's 6"):
        run_filter(Vas(target=target), pool_of(images, scores), tmp_path / "s")


def test_a_target_without_any_direction_is_refused(rows, pool_of, tmp_path):
    images, scores = rows
    target = pool_of(np.zeros_like(images), scores).url
    with pytest.raises(FilterError, match="no l14 image embedding"):
        run_filter(Vas(target=target), pool_of(images, scores), tmp_path / "s")


@pytest.mark.parametrize(
    "params",
    [{"fraction": 0.4}, {"clip_fraction": 1.1}, {"rounds": 0}, {"rounds": 3, "target": "x"}],
)
def test_impossible_parameters_are_refused(params):
    with pytest.raises(UsageError, match=next(iter(params))):
        Vas(**params)
