"""One evaluator for each kind of task: a folder and features in, outcomes and metrics out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from datacomp.errors import EvaluationError
from datacomp.evaluation import dataset, faces, metrics, ranking
from datacomp.evaluation.classifier import Classifier, FloatArray
from datacomp.evaluation.features import Features
from datacomp.evaluation.metrics import IntArray
from datacomp.evaluation.outcomes import Outcomes, compact, metrics_of
from datacomp.reports import Metric, TaskSpec

Evaluator = Callable[[TaskSpec, Path, Features], Outcomes]


@dataclass(frozen=True)
class Evaluated:
    """A task's metrics, and the outcomes (see `outcomes`) that they are formed from."""

    metrics: dict[str, Metric]
    outcomes: Outcomes


def evaluate_task(spec: TaskSpec, folder: Path, features: Features) -> Evaluated:
    """What a model answers to one task; `EvaluationError` if its data are not right."""
    found = compact(EVALUATORS[spec.kind](spec, folder, features))
    return Evaluated(metrics=metrics_of(spec, found), outcomes=found)


def _classified(spec: TaskSpec, folder: Path, features: Features) -> Outcomes:
    """Zero-shot classification of every picture of the set."""
    dataset.check_type(folder, "classification")
    names = dataset.read_classnames(folder)
    if spec.n_classes != len(names):
        raise EvaluationError(
            f"{folder / 'classnames.txt'} has {len(names):,} classes, expected {spec.n_classes:,}"
        )
    classifier = Classifier(features.classifier(names, dataset.read_templates(folder)))
    ranks, predicted, targets, metadata = [], [], [], []
    for samples, rows in features.batches(folder):
        logits = classifier.logits(rows)
        labels = np.array([sample.label(len(names)) for sample in samples])
        ranks.append(metrics.target_ranks(logits, labels))
        predicted.append(logits.argmax(axis=1))
        targets.append(labels)
        metadata += [sample.metadata(len(spec.metadata)) for sample in samples if spec.metadata]
    found = sum(map(len, ranks))
    _expect(spec, folder, found)
    answers = {"ranks": ranks, "predicted": predicted, "targets": targets}
    return {
        **{name: np.concatenate(parts) for name, parts in answers.items()},
        "metadata": np.array(metadata, np.int64).reshape(found, len(spec.metadata)),
    }


def _grouped(spec: TaskSpec, folder: Path, features: Features) -> Outcomes:
    answers = _classified(spec, folder, features)
    for grouping in spec.groupings:
        groups = answers["metadata"][:, spec.metadata.index(grouping.field)]
        if groups.min() < 0 or groups.max() >= grouping.n_groups:
            raise EvaluationError(
                f"{folder}: {grouping.field} has values {groups.min()} to {groups.max()}, "
                f"expected 0 to {grouping.n_groups - 1}"
            )
    return answers


def _retrieval(spec: TaskSpec, folder: Path, features: Features) -> Outcomes:
    dataset.check_type(folder, "retrieval")
    captions: list[str] = []
    image_of_text: list[int] = []
    images: list[FloatArray] = []
    for samples, rows in features.batches(folder):
        for sample, row in zip(samples, rows, strict=True):
            texts = sample.captions()
            captions += texts
            image_of_text += [len(images)] * len(texts)
            images.append(row)
    _expect(spec, folder, len(images))
    owners = np.array(image_of_text)
    of_text, of_image = ranking.ranks(np.stack(images), features.texts(captions), owners)
    return {"text_ranks": of_text, "image_ranks": of_image, "image_of_text": owners}


def _association(spec: TaskSpec, folder: Path, features: Features) -> Outcomes:
    dataset.check_type(folder, "association")
    instances = dataset.read_associations(folder)
    _expect(spec, folder, len(instances))
    images = {
        sample.key: row
        for samples, rows in features.batches(folder)
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
    return {
        "scores": np.array(scores),
        "candidates": np.array([len(instance.candidates) for instance in instances]),
        "picks": np.array([len(instance.associations) for instance in instances]),
    }


def _faces(spec: TaskSpec, folder: Path, features: Features) -> Outcomes:
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
        objective: Classifier(features.classifier(names[objective], templates[objective]))
        for objective in faces.OBJECTIVES
    }
    n_races = spec.n_races or 0
    if len(names["race"]) != n_races:
        raise EvaluationError(f"{folder} names {len(names['race'])} races, expected {n_races}")
    predicted: dict[str, list[IntArray]] = {objective: [] for objective in faces.OBJECTIVES}
    metadata = []
    for samples, rows in features.batches(folder):
        metadata += [sample.metadata(len(spec.metadata)) for sample in samples]
        for objective, classifier in classifiers.items():
            predicted[objective].append(classifier.logits(rows).argmax(axis=1))
    _expect(spec, folder, len(metadata))
    described = np.array(metadata, np.int64)
    if described.min() < 0 or (described[:, 1:].max(axis=0) > (1, n_races - 1, 1)).any():
        raise EvaluationError(
            f"{folder} has metadata from {described.min(axis=0)} to {described.max(axis=0)}; "
            f"expected gender 0 to 1, race 0 to {n_races - 1}, race_binary 0 to 1, none negative"
        )
    answers = {objective: np.concatenate(found) for objective, found in predicted.items()}
    return {**answers, "metadata": described}


def _expect(spec: TaskSpec, folder: Path, found: int) -> None:
    if found != spec.n:
        raise EvaluationError(
            f"{folder} holds {found:,} samples, task {spec.key!r} version {spec.version} has "
            f"{spec.n:,}; is it another dataset, or incomplete?"
        )


EVALUATORS: Mapping[str, Evaluator] = MappingProxyType(
    {
        "classification": _classified,
        "grouped": _grouped,
        "macro_f1": _classified,
        "retrieval": _retrieval,
        "association": _association,
        "faces": _faces,
    }
)
