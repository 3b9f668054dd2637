"""`mflyt`: what it makes of useful, misleading and useless scores, and where scores come from."""

from dataclasses import replace

import numpy as np
import pytest

from datacomp.errors import UsageError
from datacomp.filtering import LocalExecutor, filter_class, filter_from_params, filter_from_words
from datacomp.filtering.fitting import compute_fits
from datacomp.filtering.tree import from_tree, to_tree
from datacomp.progress import NoProgress

TOY = {
    "scores": "clip_b32_similarity_score,meant,noise",
    "width": 32,
    "upstream_batch": 256,
    "downstream_batch": 512,
    "training_steps": 200,
    "reference_rate": 1e-3,
    "scoring_rate": 1e-2,
    "warmup_steps": 20,
}
SHORT = {**TOY, "training_steps": 3, "warmup_steps": 1, "upstream_batch": 64}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp("scores")


@pytest.fixture
def build(planted):
    return lambda **params: filter_from_params(
        filter_class("mflyt"), {"downstream": planted.downstream, **params}
    )


@pytest.fixture
def fit(planted):
    """Compute what a filter learns; the arrays of its last fit."""

    def fit_(chosen, store, pool=None):
        place = (chosen, pool or planted.pool, store, LocalExecutor(), NoProgress())
        return compute_fits(*place)[-1]

    return fit_


def test_it_weighs_what_tells_good_from_bad_and_leaves_noise_near_zero(
    planted, build, fit, score, trained
):
    learned = fit(build(**TOY), trained)
    weights = dict(zip(learned.arrays["score"], learned.arrays["weight"], strict=True))
    assert max(weights, key=weights.get) == "meant"
    assert abs(weights["noise"]) < 0.2
    assert planted.auroc(score("mflyt", TOY, trained)) > 0.85
    assert [row["score"] for row in learned.table] == list(weights)
    assert learned.last["step"] == 199


def test_scores_are_standardised_by_constants_of_the_whole_pool(
    planted, build, fit, score, recut, trained, tmp_path
):
    arrays = fit(build(**TOY), trained).arrays
    meant = planted.columns["meant"].to_numpy()
    assert arrays["mean"][1] == pytest.approx(meant.mean(), rel=1e-6)
    assert arrays["std"][1] == pytest.approx(meant.std(), rel=1e-6)
    # The same constants at scoring: the stored score is the formula, row by row.
    columns = np.stack([planted.columns[name].to_numpy() for name in arrays["score"]], 1)
    wide = np.clip((columns - arrays["mean"]) / arrays["std"], -6, 6)
    expected = wide @ arrays["weight"] + arrays["bias"][0]
    assert score("mflyt", TOY, trained) == pytest.approx(expected, abs=2e-4)
    again = fit(build(**SHORT), tmp_path / "a").arrays
    turned = fit(build(**SHORT), tmp_path / "b", recut).arrays
    assert turned["mean"] == pytest.approx(again["mean"], rel=1e-6)
    assert turned["weight"] == pytest.approx(again["weight"], abs=1e-6)


def test_missing_scores_count_as_the_mean_and_constant_ones_as_nothing(
    build, fit, score, tmp_path, planted, write_scores
):
    pool = write_scores(
        {
            "some": np.where(np.arange(6000) % 4 == 0, np.nan, np.arange(6000) % 7),
            "same": np.full(6000, 3.0),
            "none": np.full(6000, np.nan),
            "wild": np.where(np.arange(6000) == 9, np.inf, 0.0),
        }
    )
    params = {**SHORT, "scores": ["some", "same", "none", "wild"]}
    learned = fit(build(**params), tmp_path / "scores", pool)
    assert learned.arrays["missing"].tolist() == pytest.approx([0.25, 0, 1, 1 / 6000])
    assert learned.arrays["weight"][1:].tolist() == [0, 0, 0]
    scores = score("mflyt", params, tmp_path / "scores", pool=pool)
    assert np.isfinite(scores).all()
    assert set(scores[::4]) == {learned.arrays["bias"][0]}


def test_scores_that_are_not_finite_count_as_missing(build, fit, score, tmp_path, write_scores):
    rows = np.arange(6000)
    wild = rows % 7.0
    # The last two are finite in float64 alone, and would else stand 6 deviations out.
    wild[:4] = np.inf, -np.inf, 1e39, -1e39
    pool = write_scores({"wild": wild, "none": np.full(6000, np.nan)})
    params = {**SHORT, "scores": ["wild", "none"]}
    learned = fit(build(**params), tmp_path / "scores", pool).arrays
    assert learned["mean"][0] == pytest.approx(wild[4:].mean())
    assert learned["weight"][0] != 0
    scores = score("mflyt", params, tmp_path / "scores", pool=pool)
    assert set(scores[:4]) == {learned["bias"][0]}


def test_scores_may_be_computed_by_filters_and_fused(build, fit, tmp_path):
    flyt = filter_from_params(
        filter_class("flyt"),
        {key: value for key, value in SHORT.items() if key != "scores"}
        | {"downstream": build(**SHORT).downstream},
    )
    fused = {
        "fuse": "rank",
        "of": [{"weight": 1.0, "column": "meant"}, {"weight": 0.5, "column": "noise"}],
    }
    learned_too = {"from": to_tree(flyt), "column": "flyt_score"}
    # Another training's column has the same name.
    other = {"from": to_tree(replace(flyt, seed=1)), "column": "flyt_score"}
    chosen = build(**{**SHORT, "scores": ["meant", learned_too, fused, other]})
    assert from_tree(to_tree(chosen)) == chosen
    learned = fit(chosen, tmp_path / "scores")
    assert learned.name == "mflyt"
    fused_name = "1 rank(meant) + 0.5 rank(noise)"
    names = ["meant", "flyt_score of flyt 1", fused_name, "flyt_score of flyt 2"]
    assert list(learned.arrays["score"]) == names
    assert learned.arrays["mean"][1] != learned.arrays["mean"][3]
    assert (tmp_path / "scores" / "flyt_score").is_dir()
    drawn = {"soft_cap": {"column": {"from": to_tree(chosen), "column": "mflyt_score"}}}
    assert from_tree(drawn).steps() == chosen.steps()


def test_names_are_typed_with_commas_or_listed(planted):
    words = ["scores=meant, noise", f"downstream={planted.downstream}"]
    typed = filter_from_words(filter_class("mflyt"), words)
    listed = filter_from_params(
        filter_class("mflyt"), {"scores": ["meant", "noise"], "downstream": planted.downstream}
    )
    assert typed == listed
    assert "Mixes 2 scores" in typed.rules()[0]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ("meant", "two columns or more"),
        ([], "two columns or more"),
        ("meant,meant", "names meant twice"),
        ([1, "meant"], r"scores\[0\]: expected the name of a column"),
        (["meant", {"from": "no_filter", "column": "x"}], r"scores\[1\]: filter 'no_filter'"),
    ],
)
def test_scores_that_cannot_be_mixed_are_refused(build, scores, expected):
    with pytest.raises(UsageError, match=expected):
        build(scores=scores)
