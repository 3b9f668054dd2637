"""SIEVE from end to end on a few pictures: the small captioner is hardly trained here."""

import numpy as np
import pytest

from datacomp.errors import FilterError
from datacomp.filtering import Bench, run_filter, scored
from datacomp.filtering.plan import explain
from datacomp.pool import open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp_filters.captioning.sentences import PACKAGE
from datacomp_filters.captioning.small_captioner import SmallCaptionerFit, SmallCaptions
from datacomp_filters.captioning.words import make_vocabulary, split_words, to_tokens
from datacomp_filters.sieve import Sieve

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    """200 clean pictures with labels."""
    folder = tmp_path_factory.mktemp("trusted") / "pool"
    mix = {"clean": 1.0}
    build_tiny(
        folder, TinyConfig(rows=200, seed=3, mix=mix, split="teacher", dead_share=0, labels=True)
    )
    return str(folder)


class Encoder:
    """Features at random; those of a blind one are not finite."""

    name = "random"

    def __init__(self, blind=False):
        self.rng, self.blind = np.random.default_rng(0), blind

    def encode_image(self, images):
        return self.rng.normal(size=(len(images), 4)) + (np.nan if self.blind else 0)

    def encode_text(self, texts):
        return self.encode_image(texts)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    """40 rows, two of them dead, with CLIP scores at random."""
    folder = tmp_path_factory.mktemp("small") / "pool"
    build_tiny(folder, TinyConfig(rows=40, seed=4, dead_share=0.05), Encoder())
    return open_pool(str(folder))


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """One store for all: the captioner is trained once."""
    return tmp_path_factory.mktemp("scores")


class Stopped(Exception):
    """What a power cut would do."""


def bench_in(folder, tell=lambda line: None):
    return Bench(device="cpu", arrays=lambda fit: {}, folder=folder, tell=tell)


def test_words_and_marks_make_the_vocabulary_most_frequent_first():
    assert split_words("Flag: Côte d’Ivoire") == ["flag", ":", "côte", "d", "’", "ivoire"]
    vocabulary = make_vocabulary(["red cat", "red dog", "Cat"])
    assert vocabulary[4:] == ("cat", "red", "dog")
    assert to_tokens(["red bird"], vocabulary)[0, :5].tolist() == [1, 5, 3, 2, 0]


def test_a_training_learns_and_when_stopped_ends_as_an_unbroken_one(trusted, tmp_path, monkeypatch):
    from datacomp_filters.captioning import small_training

    fit, lines = SmallCaptionerFit(trusted=trusted, steps=6), []
    whole = fit.fit(None, bench_in(tmp_path / "whole", lines.append))
    losses = [float(line.split()[5].rstrip(",")) for line in lines if "loss" in line]
    assert len(losses) == 6
    assert losses[-1] < losses[0] - 0.1
    monkeypatch.setattr(small_training, "CHECKPOINT_SECONDS", -1.0)

    def stop(line):
        if line.startswith("step 5"):
            raise Stopped

    with pytest.raises(Stopped):
        fit.fit(None, bench_in(tmp_path / "cut", stop))
    lines.clear()
    resumed = fit.fit(None, bench_in(tmp_path / "cut", lines.append))
    assert [line.split(",")[0] for line in lines if "step" in line] == [
        "step 5 of 6",
        "step 6 of 6",
    ]
    assert whole.keys() == resumed.keys()
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_the_fit_is_known_by_the_trusted_sets_content(trusted):
    names = [asset.name for asset in SmallCaptionerFit(trusted=trusted).assets()]
    assert names[-1] == "pool.json"
    assert all(name.endswith(".parquet") for name in names[:-1])
    with pytest.raises(FilterError, match="no pool folder"):
        SmallCaptionerFit(trusted=f"{trusted}/metadata").assets()


def sieve(trusted, **parameters):
    parameters = {"clip_weight": 0.0, "k": 2, "captioner_steps": 3, **parameters}
    return Sieve(captioner="small", trusted=trusted, **parameters)


def test_it_ranks_by_the_similarity_of_captions_and_captions_only_once(trusted, pool, scores):
    pytest.importorskip(PACKAGE)
    chosen = sieve(trusted, fraction=0.25)
    result = run_filter(chosen, pool, scores)
    assert result.counts.kept == 10
    assert result.counts.dropped["no_score"] == 2
    values = values_of(chosen, pool, scores)
    assert np.isnan(values).sum() == 2
    assert np.nanmax(values) <= 1.0001
    # Another mask, cut or reduction captions nothing again.
    for other in (
        sieve(trusted, mask="none"),
        sieve(trusted, compat="sieve"),
        sieve(trusted, over="mean", fraction=0.5),
    ):
        plan = explain(other, pool, scores)
        assert not any(step.missing for step in plan.steps if step.spec.name == SmallCaptions.name)
    again = run_filter(sieve(trusted, compat="sieve", fraction=0.25), pool, scores)
    assert again.counts.kept >= 11
    other_seed = explain(sieve(trusted, seed=1), pool, scores)
    missing = {step.spec.name for step in other_seed.steps if step.missing}
    assert missing == {"small_captions", "caption_similarity"}


def test_the_fusion_is_half_clip_score_by_default_and_none_without_weight(trusted):
    fused = Sieve(captioner="small", trusted=trusted).score().to_tree()
    assert fused["fuse"] == "minmax"
    assert [part["weight"] for part in fused["of"]] == [0.5, 0.5]
    assert fused["of"][1]["column"] == "clip_l14_similarity_score"
    assert Sieve().columns() == ("clip_l14_similarity_score",)
    assert Sieve(clip_weight=0).columns() == ()
    assert Sieve().fraction == 0.2


def values_of(chosen, pool, store):
    with scored(chosen, pool, store) as view:
        read = chosen.score().open(view)
        return np.concatenate([read(rows) for rows in view.parts()])


def test_fused_scores_are_the_sum_of_both_scaled_to_the_pool(trusted, pool, scores):
    pytest.importorskip(PACKAGE)
    similarity = values_of(sieve(trusted), pool, scores).astype(np.float64)
    clip = np.concatenate(
        [pool.read(part, ["clip_l14_similarity_score"]).column(0) for part in pool.parts]
    ).astype(np.float64)
    both = 0.7 * scaled(similarity) + 0.3 * scaled(clip)
    fused = values_of(sieve(trusted, clip_weight=0.3), pool, scores)
    assert np.allclose(fused, both, equal_nan=True)


def scaled(x):
    return (x - np.nanmin(x)) / (np.nanmax(x) - np.nanmin(x))


def test_without_any_clip_score_nothing_is_kept(trusted, tmp_path):
    """Min-max has nothing to scale by; the reason is counted, and no error ends the run."""
    pytest.importorskip(PACKAGE)
    build_tiny(tmp_path / "pool", TinyConfig(rows=8, seed=5), Encoder(blind=True))
    blank = open_pool(str(tmp_path / "pool"))
    result = run_filter(sieve(trusted, clip_weight=0.5), blank, tmp_path / "scores")
    assert result.counts.kept == 0
    assert result.counts.dropped["no_score"] == 8
