"""EL2N of pairs: the score against its definition, the sample that it rests on, the two tails."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import LocalExecutor, filter_from_words, run_filter
from datacomp.filtering.run import scored
from datacomp.pool import index_pool, open_pool
from datacomp.subset.selectors import uid_draws
from datacomp_filters.clip_model import ClipEmbedding, normalised, vectors
from datacomp_filters.clip_source import find_clip
from datacomp_filters.el2n import EL2N, El2n, error_length


def test_the_length_of_the_error_vector():
    own, others = np.array([0, 3, -2], np.float32), np.zeros((3, 4), np.float32)
    others[2] = [1, -1, 0.5, 2]
    logits = np.column_stack([own, others]).astype(np.float64)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    softmax[:, 0] -= 1
    expected = np.linalg.norm(softmax, axis=1)
    np.testing.assert_allclose(error_length(own, others), expected, rtol=1e-6)
    assert expected[0] == pytest.approx((0.8**2 + 4 * 0.2**2) ** 0.5)


def test_it_holds_at_the_ends_of_float32():
    own = np.array([100, -100, 100], np.float32)
    others = np.array([[-100, -100], [100, -100], [99, -np.inf]], np.float32)
    easy, hard, close = error_length(own, others)
    assert easy == pytest.approx(0, abs=1e-30)
    assert hard == pytest.approx(2**0.5)
    assert close == pytest.approx(2**0.5 / (1 + np.e))


def models_of(clip_run, n=2):
    return ",".join(str(clip_run(seed)) for seed in range(n))


def scores_of(chosen, pool, store):
    with scored(chosen, pool, store, LocalExecutor(1)) as view:
        uids = np.concatenate([rows.uids for rows in view.parts()])
        scores = np.concatenate([rows.scores(EL2N) for rows in view.parts()])
        ranks = chosen.score().open(view)
        return uids, scores, np.concatenate([ranks(rows) for rows in view.parts()])


def stored_vectors(model, pool, store):
    """Embeddings of every row by reading what the run stored."""
    step = ClipEmbedding(model=model)
    tables = {}
    for path in (store / "clip_embedding").rglob("*.parquet"):
        names = pq.read_schema(path).names
        if step.image in names:
            tables[path.name.split(".")[0]] = pq.read_table(path)
    table = pa.concat_tables([tables[part.name] for part in pool.parts])
    return [normalised(vectors(table.column(name))) for name in (step.image, step.text)]


def test_scores_are_those_of_the_definition_over_the_sample(clip_run, pictured, tmp_path):
    chosen = El2n(low=0.1, high=0.3, models=models_of(clip_run), references=20, seed=4)
    uids, scores, ranks = scores_of(chosen, pictured, tmp_path)
    expected = np.zeros(len(uids))
    for model in chosen.models.split(","):
        images, texts = stored_vectors(model, pictured, tmp_path)
        scale = find_clip(model).load("cpu").logit_scale
        there = np.flatnonzero(np.isfinite(images).all(axis=1) & np.isfinite(texts).all(axis=1))
        sample = there[np.argsort(uid_draws(uids[there], 4))[:20]]
        for row in range(len(uids)):
            others = sample[sample != row]
            for mine, theirs in ((images, texts), (texts, images)):
                logits = scale * (mine[row].astype(float) @ theirs[[row, *others]].T)
                softmax = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
                softmax[0] -= 1
                expected[row] += np.linalg.norm(softmax) / 4
    assert np.isnan(scores).sum() == 1
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert (np.argsort(-ranks) == np.argsort(scores)).all()


def test_both_tails_go_and_unscored_rows_are_not_counted(clip_run, pictured, tmp_path):
    chosen = El2n(low=0.1, high=0.3, models=models_of(clip_run, 1), references=20)
    result = run_filter(chosen, pictured, tmp_path, LocalExecutor(1))
    assert result.counts.dropped == {"no_score": 1, "too_easy": 9, "too_hard": 29}
    uids, scores, _ = scores_of(chosen, pictured, tmp_path)
    kept = np.isin(uids["f1"], result.subset.uids["f1"])
    order = np.argsort(scores)
    assert sorted(order[9:70]) == np.flatnonzero(kept).tolist()


def test_tails_that_meet_leave_nothing(clip_run, pictured, tmp_path):
    def left(low, high):
        chosen = El2n(low=low, high=high, models=models_of(clip_run, 1), references=20)
        return run_filter(chosen, pictured, tmp_path, LocalExecutor(1)).subset.n

    assert (left(0.0, 0.0), left(1.0, 0.0), left(0.0, 1.0)) == (99, 0, 0)
    assert left(0.5, 0.5) == 1


def recut(pool, folder, *pieces):
    """The pool's pictures with other metadata, a part a piece."""
    (folder / "metadata").mkdir(parents=True)
    for number, piece in enumerate(pieces):
        pq.write_table(piece, folder / "metadata" / f"{number}.parquet")
    (folder / "shards").symlink_to(f"{pool.url}/shards")
    index_pool(str(folder))
    return open_pool(str(folder))


def rows_of(pool):
    return pa.concat_tables([pool.read(part, ["uid", "text"]) for part in pool.parts])


def test_neither_row_order_nor_parts_matter(clip_run, pictured, tmp_path):
    turned = rows_of(pictured).take(pa.array(range(99, -1, -1)))
    pieces = (turned.slice(0, 7), turned.slice(7, 53), turned.slice(60))
    other = recut(pictured, tmp_path / "other", *pieces)
    chosen = El2n(low=0.1, high=0.3, models=models_of(clip_run, 1), references=20)
    found = [scores_of(chosen, p, tmp_path / n) for p, n in ((pictured, "a"), (other, "b"))]
    one, two = (scores[np.argsort(uids)] for uids, scores, _ in found)
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_another_cut_computes_nothing_again_and_another_seed_no_vectors(
    clip_run, pictured, tmp_path
):
    def stored():
        return {path.relative_to(tmp_path).parts[0:2] for path in tmp_path.rglob("*.parquet")}

    models = models_of(clip_run, 1)
    run_filter(El2n(low=0.1, high=0.3, models=models), pictured, tmp_path, LocalExecutor(1))
    before = stored()
    run_filter(El2n(low=0.2, high=0.0, models=models), pictured, tmp_path, LocalExecutor(1))
    assert stored() == before
    run_filter(El2n(low=0, high=0, models=models, seed=1), pictured, tmp_path, LocalExecutor(1))
    assert [name for name, _ in stored() - before] == ["el2n_score"]


@pytest.mark.parametrize("n", [0, 1])
def test_a_pool_without_two_pairs_has_no_scores(n, clip_run, pictured, tmp_path):
    few = recut(pictured, tmp_path / "few", rows_of(pictured).slice(0, n))
    chosen = El2n(low=0.1, high=0.3, models=models_of(clip_run, 1))
    result = run_filter(chosen, few, tmp_path / "scores", LocalExecutor(1))
    assert result.counts.dropped == {"no_score": n, "too_easy": 0, "too_hard": 0}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"models": "a,b,a"}, "names 'a' twice"),
        ({"models": "a", "low": 0.6, "high": 0.6}, "together at most 1"),
        ({"models": "a", "low": -0.1}, "0 or more"),
        ({"models": "a", "references": 0}, "1 or more"),
    ],
)
def test_el2n_refuses_what_makes_no_sense(parameters, says):
    with pytest.raises(UsageError, match=says):
        El2n(**{"low": 0.1, "high": 0.3, **parameters})


def test_an_empty_name_among_the_models_is_told(clip_run):
    chosen = El2n(models=f"{clip_run(0)},", low=0.1, high=0.1)
    with pytest.raises(UsageError, match="a model's name is empty"):
        chosen.steps()[0].inputs()[1].assets()


def test_the_models_and_both_tails_must_be_given():
    with pytest.raises(UsageError, match="needs low, high, models"):
        filter_from_words(El2n, [])


def test_the_rules_name_sample_models_and_tails():
    text = " ".join(El2n(low=0.1, high=0.3, models="a,b").rules())
    for fact in ("4,095 pairs", "seed 0", "2 models: a,b", "floor(N * 0.1)", "floor(N * 0.3)"):
        assert fact in text
