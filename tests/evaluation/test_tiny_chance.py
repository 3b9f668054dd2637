"""Every chance level and noise floor that tiny.yaml states is computed here from the sets.

Chance is the expected value of a metric when each answer is drawn uniformly; noise is one
standard deviation of the main metric then. What has no closed form is simulated with the
metric functions themselves.
"""

import math
from pathlib import Path

import numpy as np
import pytest

from datacomp.evaluation import dataset, metrics, ranking
from datacomp.reports import TaskSpec, load_suite

SUITE = load_suite("tiny")
ROUNDS = 400


def labels_of(folder: Path, spec: TaskSpec) -> np.ndarray:
    return np.array([s.label(spec.n_classes) for s in dataset.read_samples(folder)])


def guesses(spec: TaskSpec, folder: Path) -> dict[str, np.ndarray]:
    """Metrics of ROUNDS uniform guessers: ranks are uniform, so are predictions."""
    rng = np.random.default_rng(0)
    targets = labels_of(folder, spec)
    groups = None
    if spec.groupings:
        fields = [s.metadata(len(spec.metadata)) for s in dataset.read_samples(folder)]
        groups = np.array(fields)[:, 0]
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        predicted = rng.integers(0, spec.n_classes, len(targets))
        ranks = rng.integers(0, spec.n_classes, len(targets))
        values = {"mean_per_class_recall": metrics.mean_per_class_recall(predicted, targets)}
        if spec.kind == "macro_f1":
            values["F1-macro_all"] = metrics.macro_f1(predicted, targets)
        for grouping in spec.groupings:
            values[grouping.worst] = metrics.worst_group_accuracy(ranks < grouping.top, groups)
        for name, metric in values.items():
            found.setdefault(name, []).append(metric.value)
    return {name: np.array(values) for name, values in found.items()}


def random_retrieval(folder: Path, n: int) -> np.ndarray:
    """Mean recall at 1 of random orders: texts and pictures hit independently."""
    rng = np.random.default_rng(0)
    per_image = np.array([len(s.captions()) for s in dataset.read_samples(folder)])
    m = per_image.sum()
    image_way = rng.binomial(m, 1 / n, 20_000) / m
    text_way = rng.poisson((per_image / m).sum(), 20_000) / n
    return (image_way + text_way) / 2


def expected_jaccard(n: int, k: int) -> tuple[float, float]:
    """Mean and second moment of the Jaccard index of a random k-subset of n with a given one."""
    total = math.comb(n, k)
    shares = [math.comb(k, i) * math.comb(n - k, k - i) / total for i in range(k + 1)]
    index = [i / (2 * k - i) for i in range(k + 1)]
    return (
        sum(p * j for p, j in zip(shares, index, strict=True)),
        sum(p * j * j for p, j in zip(shares, index, strict=True)),
    )


def close(stated: float, values: np.ndarray) -> bool:
    """Within four standard errors of the simulation."""
    return abs(stated - values.mean()) <= 4 * values.std() / math.sqrt(len(values))


@pytest.mark.parametrize("spec", [t for t in SUITE.tasks if t.n_classes], ids=lambda t: t.key)
def test_classification(spec: TaskSpec, tiny_suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "bootstrap", lambda *_: 0.0)  # slow, and nobody looks at it
    found = guesses(spec, tiny_suite / spec.dataset)
    for k, names in ((1, ("acc1", "acc_avg")), (5, ("acc5", "acc_top5_avg"))):
        for name in names:
            if name in spec.metrics:
                assert spec.chance[name] == pytest.approx(k / spec.n_classes, abs=1e-12)
    assert spec.chance["mean_per_class_recall"] == pytest.approx(1 / spec.n_classes, abs=1e-12)
    assert close(spec.chance["mean_per_class_recall"], found["mean_per_class_recall"])
    if spec.main_metric == "acc1":
        p = spec.chance["acc1"]
        assert spec.noise == pytest.approx(math.sqrt(p * (1 - p) / spec.n), rel=0.02)
    else:
        assert close(spec.chance[spec.main_metric], found[spec.main_metric])
        assert spec.noise == pytest.approx(found[spec.main_metric].std(), rel=0.1)


def test_retrieval(tiny_suite: Path) -> None:
    spec = SUITE["retrieval"]
    folder = tiny_suite / spec.dataset
    per_image = np.array([len(s.captions()) for s in dataset.read_samples(folder)])
    m, n = int(per_image.sum()), len(per_image)
    for k in ranking.RECALL_AT:
        missed = [math.comb(m - c, k) / math.comb(m, k) for c in per_image.tolist()]
        text_way = 1 - sum(missed) / n
        assert spec.chance[f"image_retrieval_recall@{k}"] == pytest.approx(k / n, rel=1e-6)
        assert spec.chance[f"text_retrieval_recall@{k}"] == pytest.approx(text_way, rel=1e-6)
    simulated = random_retrieval(folder, n)
    assert spec.chance["mean_recall@1"] == pytest.approx((1 / n + 1 / n) / 2, rel=1e-6)
    assert close(spec.chance["mean_recall@1"], simulated)
    assert spec.noise == pytest.approx(simulated.std(), rel=0.1)


def test_association(tiny_suite: Path) -> None:
    spec = SUITE["association"]
    rows = dataset.read_associations(tiny_suite / spec.dataset)
    sizes = np.array([(len(r.candidates), len(r.associations)) for r in rows])
    moments = np.array([expected_jaccard(n, k) for n, k in sizes.tolist()])
    for name, chosen in (
        ("avg_jaccard_score", sizes[:, 0] > 0),
        ("jaccard_score_10-12", sizes[:, 0] >= 10),
        ("jaccard_score_10", sizes[:, 0] == 10),
        ("jaccard_score_12", sizes[:, 0] == 12),
    ):
        assert spec.chance[name] == pytest.approx(moments[chosen, 0].mean(), rel=1e-6), name
    spread = math.sqrt((moments[:, 1] - moments[:, 0] ** 2).sum()) / len(rows)
    assert spec.noise == pytest.approx(spread, rel=0.02)
