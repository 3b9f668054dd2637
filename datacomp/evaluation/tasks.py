"""One evaluator for each kind of task: a folder and features in, metrics out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from datacomp.errors import EvaluationError
from datacomp.evaluation import dataset, faces, metrics, ranking
from datacomp.evaluation.features import IMAGE_BATCH, LOGIT_SCALE, Features, FloatArray, batches
from datacomp.evaluation.metrics import IntArray
from datacomp.reports import Metric, TaskSpec

Evaluator = Callable[[TaskSpec, Path, Features], dict[str, Metric]]


@dataclass(frozen=True)
class Predictions:
    """What a classifier answered: all arrays (n,), metadata (n, fields)."""

    ranks: IntArray
    predicted: IntArray
    targets: IntArray
    metadata: IntArray


def evaluate_task(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    """All metrics of one task, with chance levels; `EvaluationError` if its data are not right."""
    found = EVALUATORS[spec.kind](spec, folder, features)
    return {
        name: found[name].model_copy(update={"chance": spec.chance.get(name)})
        for name in spec.metrics
    }


def classify(spec: TaskSpec, folder: Path, features: Features) -> Predictions:
    """Zero-shot classification of every picture of the set."""
    dataset.check_type(folder, "classification")
    names = dataset.read_classnames(folder)
    if spec.n_classes != len(names):
        raise EvaluationError(
            f"{folder / 'classnames.txt'} has {len(names):,} classes, expected {spec.n_classes:,}"
        )
    classifier = features.classifier(names, dataset.read_templates(folder))
    ranks, predicted, targets, metadata = [], [], [], []
    for samples, rows in batches(dataset.read_samples(folder), features):
        logits = LOGIT_SCALE * rows @ classifier
        labels = np.array([sample.label(len(names)) for sample in samples])
        ranks.append(metrics.target_ranks(logits, labels))
        predicted.append(logits.argmax(axis=1))
        targets.append(labels)
        metadata += [sample.metadata(len(spec.metadata)) for sample in samples if spec.metadata]
    found = sum(map(len, ranks))
    _expect(spec, folder, found)
    return Predictions(
        ranks=np.concatenate(ranks),
        predicted=np.concatenate(predicted),
        targets=np.concatenate(targets),
        metadata=np.array(metadata, np.int64).reshape(found, len(spec.metadata)),
    )


def _classification(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    return _basic(spec, classify(spec, folder, features))


def _grouped(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    answers = classify(spec, folder, features)
    found = _basic(spec, answers)
    for grouping in spec.groupings:
        correct = answers.ranks < grouping.top
        groups = answers.metadata[:, spec.metadata.index(grouping.field)]
        if groups.min() < 0 or groups.max() >= grouping.n_groups:
            raise EvaluationError(
                f"{folder}: {grouping.field} has values {groups.min()} to {groups.max()}, "
                f"expected 0 to {grouping.n_groups - 1}"
            )
        found[grouping.mean] = found["acc1" if grouping.top == 1 else "acc5"]
        each = metrics.group_accuracies(correct, groups, grouping.n_groups)
        found |= dict(zip(grouping.each, each, strict=True))
        for name, first in grouping.minima.items():
            among = groups < first
            found[name] = metrics.worst_group_accuracy(correct[among], groups[among])
    return found


def _macro_f1(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    answers = classify(spec, folder, features)
    found = _basic(spec, answers)
    found["acc_avg"] = found["acc1"]
    found["recall-macro_all"] = found["mean_per_class_recall"]
    found["F1-macro_all"] = metrics.macro_f1(answers.predicted, answers.targets)
    return found


def _basic(spec: TaskSpec, answers: Predictions) -> dict[str, Metric]:
    n_classes = spec.n_classes or 0
    return {
        "acc1": metrics.top_k_accuracy(answers.ranks, 1, n_classes),
        "acc5": metrics.top_k_accuracy(answers.ranks, 5, n_classes),
        "mean_per_class_recall": metrics.mean_per_class_recall(answers.predicted, answers.targets),
    }


def _retrieval(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    dataset.check_type(folder, "retrieval")
    captions: list[str] = []
    image_of_text: list[int] = []
    images: list[FloatArray] = []
    for samples, rows in batches(dataset.read_samples(folder), features):
        for i, sample in enumerate(samples, start=len(images) * IMAGE_BATCH):
            texts = sample.captions()
            captions += texts
            image_of_text += [i] * len(texts)
        images.append(rows)
    _expect(spec, folder, sum(map(len, images)))
    return ranking.retrieval(
        np.concatenate(images), features.texts(captions), np.array(image_of_text)
    )


def _association(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    dataset.check_type(folder, "association")
    instances = dataset.read_associations(folder)
    _expect(spec, folder, len(instances))
    images = {
        sample.key: row
        for samples, rows in batches(dataset.read_samples(folder), features)
        for sample, row in zip(samples, rows, strict=True)
    }
    cues = features.texts([ranking.cue_prompt(instance.cue) for instance in instances])
    scores = []
    for instance, cue in zip(instances, cues, strict=True):
        missing = set(instance.candidates) - images.keys()
        if missing:
            raise EvaluationError(f"{folder}: no picture of the candidate {min(missing)!r}")
        rows = np.stack([images[key] for key in instance.candidates])
        right = [instance.candidates.index(key) for key in instance.associations]
        scores.append(ranking.jaccard(ranking.picked(rows @ cue, len(right)), right))
    sizes = np.array([len(instance.candidates) for instance in instances])
    return ranking.association(np.array(scores), sizes)


def _faces(spec: TaskSpec, folder: Path, features: Features) -> dict[str, Metric]:
    dataset.check_type(folder, "classification")
    names = faces.split_objectives(dataset.read_classnames(folder))
    templates = faces.split_objectives(dataset.read_templates(folder))
    for objective in faces.OBJECTIVES:
        if not names[objective] or not templates[objective]:
            raise EvaluationError(
                f"{folder} has {len(names[objective])} names and {len(templates[objective])} "
                f"templates that begin with '{objective}:', expected at least one of each"
            )
    classifiers = {
        objective: features.classifier(names[objective], templates[objective])
        for objective in faces.OBJECTIVES
    }
    n_races = spec.n_races or 0
    if len(names["race"]) != n_races:
        raise EvaluationError(f"{folder} names {len(names['race'])} races, expected {n_races}")
    predicted: dict[str, list[IntArray]] = {objective: [] for objective in faces.OBJECTIVES}
    metadata = []
    for samples, rows in batches(dataset.read_samples(folder), features):
        metadata += [sample.metadata(len(spec.metadata)) for sample in samples]
        for objective, classifier in classifiers.items():
            predicted[objective].append((rows @ classifier).argmax(axis=1))
    _expect(spec, folder, len(metadata))
    described = np.array(metadata, np.int64)
    if described.min() < 0 or (described[:, 1:].max(axis=0) > (1, n_races - 1, 1)).any():
        raise EvaluationError(
            f"{folder} has metadata from {described.min(axis=0)} to {described.max(axis=0)}; "
            f"expected gender 0 to 1, race 0 to {n_races - 1}, race_binary 0 to 1, none negative"
        )
    answers = {objective: np.concatenate(found) for objective, found in predicted.items()}
    return faces.face_results(answers, described, n_races)


def _expect(spec: TaskSpec, folder: Path, found: int) -> None:
    if found != spec.n:
        raise EvaluationError(
            f"{folder} holds {found:,} samples, task {spec.key!r} version {spec.version} has "
            f"{spec.n:,}; is it another dataset, or incomplete?"
        )


EVALUATORS: Mapping[str, Evaluator] = MappingProxyType(
    {
        "classification": _classification,
        "grouped": _grouped,
        "macro_f1": _macro_f1,
        "retrieval": _retrieval,
        "association": _association,
        "faces": _faces,
    }
)
