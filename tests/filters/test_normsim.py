"""NormSim against its formula, and in the published recipe after negCLIPLoss."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_spec, run_filter
from datacomp.filtering.cascade import Cascade
from datacomp.pool import open_pool
from datacomp.subset import Subset, parse_uids
from datacomp_filters import cosines
from datacomp_filters.embeddings import unit_rows
from datacomp_filters.negcliploss import NegClipLoss
from datacomp_filters.normsim import SCORE, NormSim

N, D = 250, 12
UIDS = [f"{n * 7919:032x}" for n in range(N)]


def write_pool(folder, images, captions=None, parts=1):
    """A pool of embeddings in so many parts."""
    (folder / "metadata").mkdir(parents=True)
    for number, some in enumerate(np.array_split(np.arange(len(images)), parts)):
        file = folder / "metadata" / f"{number}.parquet"
        pq.write_table(pa.table({"uid": [UIDS[n] for n in some]}), file)
        arrays = {"l14_img": images[some], "b32_img": images[some, :5]}
        if captions is not None:
            arrays["l14_txt"] = captions[some]
        np.savez(file.with_suffix(".npz"), **arrays)
    return open_pool(str(folder))


@pytest.fixture
def images():
    """Embeddings of any length."""
    return (np.random.default_rng(4).standard_normal((N, D)) * 9).astype(np.float16)


@pytest.fixture
def target(tmp_path):
    """A target of 70 rows, three of them without a direction; its other rows, of length 1."""
    rows = np.random.default_rng(5).standard_normal((70, D)).astype(np.float32) * 3
    rows[10], rows[11], rows[12] = np.nan, np.inf, 0
    write_pool(tmp_path / "target", rows, parts=2)
    return str(tmp_path / "target"), unit_rows(np.delete(rows, [10, 11, 12], axis=0))[0]


def stored(store):
    return np.concatenate(
        [pq.read_table(f)[SCORE].to_numpy() for f in sorted(store.glob("normsim*/*/*.parquet"))]
    )


@pytest.mark.parametrize(("norm", "order"), [("inf", np.inf), ("l2", 2)])
def test_the_score_is_the_norm_of_the_cosines(images, target, tmp_path, monkeypatch, norm, order):
    monkeypatch.setattr(cosines, "TILE_FLOATS", N * 13)
    folder, wanted = target
    images[7] = 0
    pool = write_pool(tmp_path / "pool", images, parts=2)
    result = run_filter(NormSim(fraction=0.3, norm=norm, target=folder), pool, tmp_path / "s")
    unit = unit_rows(images)[0].astype(np.float64)
    expected = np.linalg.norm(unit @ wanted.T.astype(np.float64), ord=order, axis=1)
    expected[7] = np.nan
    np.testing.assert_allclose(stored(tmp_path / "s"), expected, rtol=1e-5)
    best = np.argsort(-np.nan_to_num(expected))[:75]
    kept = Subset.from_uids(parse_uids([UIDS[n] for n in best])).uids
    assert (result.subset.uids == kept).all()
    assert result.counts.dropped == {"no_score": 1, "below_cut": 174}


def test_an_image_opposite_to_a_target_image_counts_as_near(images, target, tmp_path):
    folder, wanted = target
    images[3] = -wanted[0] * 5
    pool = write_pool(tmp_path / "pool", images)
    run_filter(NormSim(fraction=0.3, target=folder), pool, tmp_path / "s")
    assert stored(tmp_path / "s")[3] == pytest.approx(1, abs=1e-3)


def test_the_published_recipe_is_a_cascade(images, target, tmp_path):
    folder, _ = target
    captions = images + np.random.default_rng(6).standard_normal((N, D)).astype(np.float16) * 5
    pool = write_pool(tmp_path / "pool", images, captions, parts=3)
    recipe = Cascade(of=(NegClipLoss(fraction=0.3), NormSim(fraction=0.6667, target=folder)))
    assert filter_spec(recipe).uses_eval_related_data == "train"
    result = run_filter(recipe, pool, tmp_path / "s")
    assert result.counts.kept == 50
    first = run_filter(NegClipLoss(fraction=0.3), pool, tmp_path / "s")
    near = stored(tmp_path / "s")
    left = np.flatnonzero(np.isin(parse_uids(UIDS), first.subset.uids))
    best = left[np.argsort(-near[left], kind="stable")[:50]]
    kept = Subset.from_uids(parse_uids([UIDS[n] for n in best])).uids
    assert (result.subset.uids == kept).all()


def test_the_encoder_says_which_embeddings_are_read(images, target, tmp_path):
    folder, _ = target
    pool = write_pool(tmp_path / "pool", images)
    chosen = NormSim(fraction=0.5, encoder="b32", target=folder)
    assert run_filter(chosen, pool, tmp_path / "s").counts.kept == 125


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_a_target_of_another_width_is_refused(images, target, tmp_path, norm):
    folder, _ = target
    pool = write_pool(tmp_path / "pool", images[:, :8])
    with pytest.raises(FilterError, match="8 dimensions, the target's 12"):
        run_filter(NormSim(fraction=0.5, norm=norm, target=folder), pool, tmp_path / "s")


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_a_target_without_any_direction_is_refused(norm, images, tmp_path):
    target = write_pool(tmp_path / "target", np.zeros((3, D), np.float16))
    pool = write_pool(tmp_path / "pool", images)
    with pytest.raises(FilterError, match=r"no l14 image embedding of .*target has a direction"):
        run_filter(NormSim(fraction=0.5, norm=norm, target=target.url), pool, tmp_path / "s")


def test_impossible_parameters_are_refused():
    with pytest.raises(UsageError, match="target=POOL"):
        NormSim(fraction=0.2)
    with pytest.raises(UsageError, match="fraction"):
        NormSim(fraction=2, target="x")
