"""The metrics on features for which the original DataComp code gave its answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datacomp.evaluation import metrics, ranking
from datacomp.reports import Metric

GOLDEN = Path(__file__).parents[1] / "golden" / "eval"
ANSWERS = {
    row["key"]: row["metrics"]
    for row in map(json.loads, (GOLDEN / "eval_results.jsonl").read_text().splitlines())
}
CLASSIFIED = sorted(key for key in ANSWERS if not key.startswith(("retrieval", "misc")))
GROUPS = [
    ("wilds/camelyon17", 1, 1, "acc_slide", 30, "acc_wg"),
    ("wilds/fmow", 0, 1, "acc_region", 6, "acc_worst_region"),
    ("wilds/fmow", 1, 1, "acc_year", 16, "acc_worst_year"),
    ("fairness/geode", 0, 1, "acc_region", 6, "acc_wg"),
    ("fairness/dollar_street", 0, 5, "acc_top5_income_ds", 4, "acc_top5_wg"),
]


def load(key: str) -> dict[str, Any]:
    with np.load(GOLDEN / f"{key.replace('/', '__')}.npz", allow_pickle=False) as file:
        return dict(file)


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def logits(data: dict[str, Any]) -> Any:
    return 100 * unit(data["image_features"]) @ data["classifier"]


def same(metric: Metric, expected: float | None) -> bool:
    if expected is None or np.isnan(expected):
        return metric.value is None
    return metric.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("key", CLASSIFIED)
def test_accuracy_and_recall(key: str) -> None:
    data = load(key)
    scores, targets = logits(data), data["target"]
    ranks = metrics.target_ranks(scores, targets)
    n_classes = scores.shape[1]
    assert same(metrics.top_k_accuracy(ranks, 1, n_classes), ANSWERS[key]["acc1"])
    assert same(metrics.top_k_accuracy(ranks, 5, n_classes), ANSWERS[key]["acc5"])
    recall = metrics.mean_per_class_recall(scores.argmax(axis=1), targets)
    assert same(recall, ANSWERS[key]["mean_per_class_recall"])


def test_macro_f1() -> None:
    data = load("wilds/iwildcam")
    f1 = metrics.macro_f1(logits(data).argmax(axis=1), data["target"])
    assert same(f1, ANSWERS["wilds/iwildcam"]["F1-macro_all"])


@pytest.mark.parametrize(("key", "column", "k", "prefix", "n", "worst"), GROUPS)
def test_groups(key: str, column: int, k: int, prefix: str, n: int, worst: str) -> None:
    data = load(key)
    correct = metrics.target_ranks(logits(data), data["target"]) < k
    groups = data["metadata"][:, column]
    for i, metric in enumerate(metrics.group_accuracies(correct, groups, n)):
        assert same(metric, ANSWERS[key][f"{prefix}:{i}"])
        assert metric.n == (groups == i).sum()
    assert same(metrics.worst_group_accuracy(correct, groups), ANSWERS[key][worst])


def test_retrieval() -> None:
    key = "retrieval/flickr_1k_test_image_text_retrieval"
    data = load(key)
    found = ranking.retrieval(
        unit(data["image_features"]), unit(data["text_features"]), data["text_image_index"]
    )
    assert set(found) == set(ANSWERS[key]) - {"main_metric"}
    for name, metric in found.items():
        assert same(metric, ANSWERS[key][name]), name


def test_association(fakes: Any) -> None:
    data = load("misc/winogavil")
    images = unit(data["image_features"])
    scores, sizes = [], []
    for cue, n, right, first in json.loads(str(data["instances"])):
        text = unit(fakes.vector(ranking.cue_prompt(cue).encode()))
        picks = ranking.picked(images[first : first + n] @ text, len(right))
        scores.append(ranking.jaccard(picks, right))
        sizes.append(n)
    found = ranking.association(np.array(scores), np.array(sizes))
    assert set(found) == set(ANSWERS["misc/winogavil"]) - {"main_metric"}
    for name, metric in found.items():
        assert same(metric, ANSWERS["misc/winogavil"][name]), name
