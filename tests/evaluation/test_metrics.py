"""Metrics worked out by hand and against scikit-learn; standard errors against simulation."""

import numpy as np
import pytest
from sklearn import metrics as reference

from datacomp.evaluation import metrics, ranking
from datacomp.evaluation.uncertainty import bootstrap, mean, share
from datacomp.reports import Metric


def answers(seed: int, n: int = 500, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Imbalanced targets without class 3, and predictions that are right about half the time."""
    rng = np.random.default_rng(seed)
    names = np.array([c for c in range(classes) if c != 3])
    targets = rng.choice(names, n, p=np.arange(1, classes) / np.arange(1, classes).sum())
    guesses = rng.integers(0, classes, n)
    return np.where(rng.random(n) < 0.5, targets, guesses), targets


def retrieved(images: np.ndarray, texts: np.ndarray, owners: np.ndarray) -> dict[str, Metric]:
    return ranking.retrieval(*ranking.ranks(images, texts, owners), owners)


def test_rank_counts_the_classes_ahead() -> None:
    logits = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    assert metrics.target_ranks(logits, np.array([2, 0])).tolist() == [1, 2]


def test_ties_go_to_the_lower_class() -> None:
    logits = np.array([[1.0, 1.0, 1.0]] * 3)
    assert metrics.target_ranks(logits, np.array([0, 1, 2])).tolist() == [0, 1, 2]


def test_accuracy_is_a_share_with_binomial_error() -> None:
    ranks = np.array([0, 0, 1, 4, 5])
    assert metrics.top_k_accuracy(ranks, 1, 10).value == 0.4
    assert metrics.top_k_accuracy(ranks, 5, 10).value == 0.8
    assert metrics.top_k_accuracy(ranks, 1, 10).n == 5
    assert metrics.top_k_accuracy(ranks, 1, 10).stderr == pytest.approx((0.24 / 5) ** 0.5)


def test_top_5_of_four_classes_is_undefined() -> None:
    assert metrics.top_k_accuracy(np.array([0, 1]), 5, 4) == Metric(value=None, n=2)


@pytest.mark.parametrize("seed", range(5))
def test_mean_per_class_recall_is_balanced_accuracy(seed: int) -> None:
    predicted, targets = answers(seed)
    expected = reference.recall_score(
        targets, predicted, average="macro", labels=np.unique(targets), zero_division=0
    )
    found = metrics.mean_per_class_recall(predicted, targets)
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_over_the_classes_that_occur(seed: int) -> None:
    predicted, targets = answers(seed)
    expected = reference.f1_score(
        targets, predicted, average="macro", labels=np.unique(targets), zero_division=0
    )
    assert metrics.macro_f1(predicted, targets).value == pytest.approx(expected, abs=1e-12)


def test_macro_f1_by_hand() -> None:
    # class 0: 1 found of 2, 1 guess -> 2/3; class 1: 1 of 1, 1 guess -> 1; class 2 never occurs
    found = metrics.macro_f1(np.array([0, 2, 1]), np.array([0, 0, 1]))
    assert found.value == pytest.approx((2 / 3 + 1) / 2)


def test_groups_by_hand() -> None:
    correct = np.array([True, False, True, True, False])
    groups = np.array([0, 0, 2, 2, 2])
    values = [m.value for m in metrics.group_accuracies(correct, groups, 4)]
    assert values == [0.5, None, pytest.approx(2 / 3), None]
    assert metrics.worst_group_accuracy(correct, groups).value == 0.5


def test_retrieval_by_hand() -> None:
    images = np.eye(3, dtype=np.float32)
    # the texts of picture 0 find it, the text of 1 finds 2 first, the text of 2 finds it
    texts = np.array([[1, 0, 0], [0.9, 0.1, 0], [0, 0.6, 0.8], [0, 0, 1]], np.float32)
    found = retrieved(images, texts, np.array([0, 0, 1, 2]))
    assert found["image_retrieval_recall@1"].value == pytest.approx(3 / 4)
    assert found["image_retrieval_recall@1"].n == 4
    assert found["text_retrieval_recall@1"].value == 1.0
    assert found["mean_recall@1"].value == pytest.approx(7 / 8)
    assert found["image_retrieval_recall@5"].value == 1.0


def test_a_hit_needs_one_right_text_only() -> None:
    images = np.eye(2, dtype=np.float32)
    texts = np.array([[0, 1], [1, 0], [0.5, 0.5]], np.float32)
    found = retrieved(images, texts, np.array([0, 0, 1]))
    assert found["text_retrieval_recall@1"].value == pytest.approx(1 / 2)


def test_retrieval_in_chunks_is_retrieval(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((40, 8)).astype(np.float32)
    owners = np.repeat(np.arange(40), rng.integers(1, 4, 40))
    texts = images[owners] + rng.standard_normal((len(owners), 8)).astype(np.float32)
    whole = retrieved(images, texts, owners)
    monkeypatch.setattr(ranking, "_CHUNK_ROWS", 7)
    assert retrieved(images, texts, owners) == whole


def test_association_by_hand() -> None:
    assert ranking.picked(np.array([0.1, 0.9, 0.5, 0.7]), 2).tolist() == [3, 1]
    assert ranking.jaccard([1, 3], [1, 2]) == pytest.approx(1 / 3)
    found = ranking.association(np.array([1.0, 0.5, 0.0]), np.array([5, 10, 12]))
    assert found["avg_jaccard_score"].value == pytest.approx(0.5)
    assert found["jaccard_score_5-6"].value == 1.0
    assert found["jaccard_score_10-12"].value == 0.25
    assert found["jaccard_score_6"].value is None


def test_the_cue_prompt_has_its_article() -> None:
    assert ranking.cue_prompt("Umbrella") == "An umbrella"
    assert ranking.cue_prompt("Zebra") == "A zebra"


def test_the_bootstrap_of_a_share_is_binomial() -> None:
    counts = np.array([300, 700])
    stderr = bootstrap(counts, lambda drawn: drawn[:, 0] / 1000)
    assert stderr == pytest.approx(share(300, 1000).stderr, rel=0.1)
    assert bootstrap(counts, lambda drawn: drawn[:, 0] / 1000) == stderr


@pytest.mark.parametrize(
    "metric", [metrics.mean_per_class_recall, metrics.macro_f1], ids=["recall", "f1"]
)
def test_stderr_is_the_spread_over_fresh_test_sets(metric) -> None:
    found = [metric(*answers(seed)) for seed in range(200)]
    spread = np.std([m.value for m in found])
    assert np.mean([m.stderr for m in found[:20]]) == pytest.approx(spread, rel=0.25)


def test_worst_group_stderr_is_near_the_spread() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(600) % 3
    found = [
        metrics.worst_group_accuracy(rng.random(600) < np.array([0.3, 0.6, 0.9])[groups], groups)
        for _ in range(200)
    ]
    spread = np.std([m.value for m in found])
    assert np.mean([m.stderr for m in found]) == pytest.approx(spread, rel=0.2)


def test_a_mean_of_one_value_has_no_stderr() -> None:
    assert mean(np.array([0.5])) == Metric(value=0.5)
    assert mean(np.array([])) == Metric(value=None)
