"""The paired bootstrap: against drawing pictures one by one, and against known differences."""

from typing import Any

import numpy as np
import pytest

from datacomp.evaluation.outcomes import metrics_of
from datacomp.evaluation.paired import Units, differences, spread, units_of
from datacomp.reports import TaskSpec, load_suite

SUITES = (load_suite("datacomp38"), load_suite("tiny"))
SPECS = {spec.key: spec for suite in SUITES for spec in suite.tasks}
FLICKR = "retrieval/flickr_1k_test_image_text_retrieval"
KEYS = (
    "cifar10",
    "vtab/pets",
    "wild",
    "wilds/fmow",
    "fairness/dollar_street",
    "fairness/geode",
    FLICKR,
    "misc/winogavil",
)
Pair = tuple[dict[str, Any], dict[str, Any]]


def answers(key: str, rng: np.random.Generator, n: int, skills: tuple[float, float]) -> Pair:
    """Two models on the same n pictures, of which some are hard for both; better by skill."""
    if key == "misc/winogavil":
        return _associations(rng, n, skills)
    hard = 0.4 * (rng.random(n) - 0.5)
    if key == FLICKR:
        return _retrieved(rng, hard, skills)
    classes = SPECS[key].n_classes or 0
    targets = (classes * rng.random(n) ** 2).astype(int)  # low classes are frequent
    groups = rng.integers(0, 4, (n, 3))
    sides = []
    for skill in skills:
        right = rng.random(n) < skill + hard
        predicted = np.where(right, targets, rng.integers(0, classes, n))
        ranks = np.where(predicted == targets, 0, rng.integers(1, classes, n))
        sides.append(
            {"ranks": ranks, "predicted": predicted, "targets": targets, "metadata": groups}
        )
    return sides[0], sides[1]


def _retrieved(rng: np.random.Generator, hard: Any, skills: tuple[float, float]) -> Pair:
    owners = np.repeat(np.arange(len(hard)), rng.integers(1, 7, len(hard)))
    one, other = (
        {
            "text_ranks": (rng.random(len(owners)) > skill + hard[owners]).astype(int),
            "image_ranks": (rng.random(len(hard)) > skill + hard).astype(int),
            "image_of_text": owners,
        }
        for skill in skills
    )
    return one, other


def _associations(rng: np.random.Generator, n: int, skills: tuple[float, float]) -> Pair:
    candidates = rng.choice([5, 6, 10, 12], n)
    one, other = (
        {
            "scores": rng.binomial(3, skill, n) / 3,
            "candidates": candidates,
            "picks": np.full(n, 3),
        }
        for skill in skills
    )
    return one, other


def units(key: str, outcomes: dict[str, Any]) -> Units:
    found = units_of(SPECS[key], outcomes)
    assert found is not None
    return found


@pytest.mark.parametrize("key", KEYS)
def test_all_units_once_give_the_metric(key: str) -> None:
    spec, (one, _) = SPECS[key], answers(key, np.random.default_rng(0), 300, (0.6, 0.5))
    assert units(key, one).value == pytest.approx(
        metrics_of(spec, one)[spec.main_metric or ""].value, abs=1e-12
    )


def test_every_main_metric_of_every_suite_has_units() -> None:
    rng = np.random.default_rng(0)
    for suite in SUITES:
        for spec in suite.scored:
            key = {"retrieval": FLICKR, "association": "misc/winogavil"}.get(spec.kind, spec.key)
            fake = _plain(spec, rng) if spec.n_classes else answers(key, rng, 50, (0.5, 0.5))[0]
            assert units_of(spec, fake) is not None, spec.key


def _plain(spec: TaskSpec, rng: np.random.Generator) -> dict[str, Any]:
    draw = {name: rng.integers(0, spec.n_classes, 50) for name in ("ranks", "predicted", "targets")}
    return {**draw, "metadata": rng.integers(0, 2, (50, len(spec.metadata)))}


@pytest.mark.parametrize("key", KEYS)
def test_counts_of_outcomes_are_pictures_drawn_anew(key: str) -> None:
    """The same distribution as drawing pictures one by one and computing the metric each time."""
    rng = np.random.default_rng(1)
    a, b = (units(key, side) for side in answers(key, rng, 120, (0.6, 0.45)))
    brute = []
    for _ in range(1000):
        rows = rng.integers(0, len(a.rows), len(a.rows))
        one, other = (Units(side.rows[rows], side.statistic).value for side in (a, b))
        brute.append(one - other)
    found = differences(a, b, seed=0, resamples=4000)
    assert found.mean() == pytest.approx(np.mean(brute), abs=5 * np.std(brute) / 1000**0.5)
    assert found.std() == pytest.approx(np.std(brute), rel=0.12)
    levels = [0.025, 0.25, 0.75, 0.975]
    slack = 0.25 * np.std(brute)
    assert np.quantile(found, levels) == pytest.approx(np.quantile(brute, levels), abs=slack)


@pytest.mark.parametrize("key", ["cifar10", "vtab/pets", "wild", "fairness/geode", FLICKR])
def test_intervals_cover_the_true_difference(key: str) -> None:
    """About 95 in 100 intervals hold it; for minima more, whose spread is not normal."""
    skills, n = (0.6, 0.5), 200
    truth = np.mean([_difference(key, seed, n, skills) for seed in range(1000, 1600)])
    held = 0
    for seed in range(100):
        a, b = answers(key, np.random.default_rng(seed), n, skills)
        low, high = spread(differences(units(key, a), units(key, b), seed, 300)).interval
        held += low <= truth <= high
    assert held >= 89  # 95 less three standard deviations of 2.2


def _difference(key: str, seed: int, n: int, skills: tuple[float, float]) -> float:
    a, b = answers(key, np.random.default_rng(seed), n, skills)
    return units(key, a).value - units(key, b).value


def test_pairing_is_narrower_than_two_standard_errors() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(2000) < 0.5  # half of the pictures are hard for both
    a, b = ({"ranks": (hard & (rng.random(2000) < p)).astype(int)} for p in (0.9, 0.95))
    found = spread(differences(units("cifar10", a), units("cifar10", b), 0))
    alone = [metric_stderr(side["ranks"]) for side in (a, b)]
    assert found.stderr < 0.6 * np.hypot(*alone)


def metric_stderr(ranks: Any) -> float:
    p = (ranks < 1).mean()
    return float((p * (1 - p) / len(ranks)) ** 0.5)


def test_a_model_against_itself_differs_in_nothing() -> None:
    a, _ = answers("cifar10", np.random.default_rng(0), 100, (0.5, 0.5))
    found = spread(differences(units("cifar10", a), units("cifar10", a), 0))
    assert (found.stderr, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)


@pytest.mark.parametrize("shift", [0.0, 1.9, 1.97, 2.1])
def test_p_is_below_5_percent_where_the_interval_leaves_zero(shift: float) -> None:
    for seed in range(50):
        found = spread(np.random.default_rng(seed).standard_normal(2000) + shift)
        low, high = found.interval
        assert (found.p < 0.05) == (low > 0 or high < 0)


def test_the_same_seed_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (
        units("cifar10", s) for s in answers("cifar10", np.random.default_rng(0), 99, (0.6, 0.5))
    )
    first = differences(a, b, 7)
    assert (differences(a, b, 7) == first).all()
    assert (differences(a, b, 8) != first).any()
    monkeypatch.setattr("datacomp.evaluation.paired._HELD", 1)
    assert (differences(a, b, 7) == first).all()


def test_a_metric_without_units_has_none() -> None:
    face = SPECS["fairness/fairface"]
    assert units_of(face, {}) is None
