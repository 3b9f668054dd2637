"""Chance and noise floors from outcomes: against what the tiny suite states, and simulation."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from datacomp.evaluation import metrics
from datacomp.evaluation.guessing import Floor, floor_of, guessed, mean_floor
from datacomp.evaluation.outcomes import metrics_of
from datacomp.evaluation.tasks import evaluate_task
from datacomp.reports import TaskSpec, load_suite

TINY, FULL = load_suite("tiny"), load_suite("datacomp38")


@pytest.mark.parametrize("spec", TINY.scored, ids=lambda spec: spec.key)
def test_what_the_tiny_suite_states_follows_from_outcomes(
    spec: TaskSpec, tiny_suite: Path, fakes: SimpleNamespace, tmp_path: Path
) -> None:
    features = fakes.features(fakes.FakeEncoder(), tmp_path)
    found = evaluate_task(spec, tiny_suite / spec.dataset, features).outcomes
    chance, noise = guessed(spec, found)
    assert chance == pytest.approx(spec.chance[spec.main_metric or ""], rel=0.03)
    assert noise == pytest.approx(spec.noise, rel=0.1)


@pytest.mark.parametrize("key", ["wilds/fmow", "fairness/geode", "wilds/iwildcam", "vtab/pets"])
def test_guessing_many_times_scores_so(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "bootstrap", lambda *_: 0.0)  # slow, and nobody looks at it
    rng, spec, n = np.random.default_rng(0), FULL[key], 800
    classes = spec.n_classes or 0
    facts = {
        "targets": (classes * rng.random(n) ** 2).astype(int),
        "metadata": np.stack([(5 * rng.random(n) ** 2).astype(int)] * 3, axis=1),
    }
    scores = []
    for _ in range(100):
        predicted = rng.integers(0, classes, n)
        ranks = np.where(predicted == facts["targets"], 0, 1 + rng.integers(0, classes - 1, n))
        answers = {"ranks": ranks, "predicted": predicted, **facts}
        scores.append(metrics_of(spec, answers)[spec.main_metric or ""].value)
    chance, noise = guessed(spec, answers)
    assert chance == pytest.approx(np.mean(scores), abs=5 * np.std(scores) / 10)
    assert noise == pytest.approx(np.std(scores), rel=0.25)


def test_the_suite_comes_first_and_nothing_is_made_up() -> None:
    pets, mnist = FULL["vtab/pets"], FULL["mnist"]
    assert floor_of(mnist, None) == Floor(0.1, 0.003, 1)
    assert floor_of(pets, None) == Floor(pets.chance["mean_per_class_recall"], None, 0)
    even = {"targets": np.arange(3700) % 37}
    p = 1 / 37
    assert floor_of(pets, even).noise == pytest.approx((p * (1 - p) / 3700) ** 0.5)


def test_the_average_of_known_floors() -> None:
    floors = {spec.key: Floor(0.1, 0.01, 1) for spec in FULL.scored}
    found = mean_floor(FULL, floors)
    assert found.chance == pytest.approx(0.1)
    assert found.noise == pytest.approx(0.01 / 38**0.5)
    assert found.n_known == 38
    shifts = mean_floor(FULL, floors, "ImageNet dist. shifts")
    assert shifts.noise == pytest.approx(0.01 / 6**0.5)


def test_an_average_that_lacks_a_floor_says_how_many_it_has() -> None:
    floors = {spec.key: Floor(0.1, 0.01, 1) for spec in FULL.scored}
    found = mean_floor(FULL, {**floors, "wilds/fmow": Floor(None, None, 0)})
    assert (found.chance, found.n_known) == (None, 37)
    assert found.noise == pytest.approx(0.01 * 37**0.5 / 38)
