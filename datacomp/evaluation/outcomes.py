"""What a model answered to each picture of a task: all that the task's metrics are formed from.

    kind                               arrays
    classification, grouped, macro_f1  ranks (n,) of the right class, predicted (n,), targets (n,),
                                       metadata (n, fields)
    retrieval                          text_ranks (m,) of each text's picture, image_ranks (n,) of
                                       each picture's best text, image_of_text (m,)
    association                        scores (n,) Jaccard index of each instance, candidates (n,)
                                       to choose from, picks (n,) how many are chosen
    faces                              race, gender, age, toxic (n,) predicted; metadata (n, 4)

Ranks count from 0. All are integers but the scores, which are float64. Two models' outcomes on the
same pictures can be compared picture by picture (`compare`).
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import EvaluationError
from datacomp.evaluation import faces, metrics, ranking
from datacomp.files import write_bytes
from datacomp.reports import Metric, TaskSpec

Outcomes = Mapping[str, npt.NDArray[Any]]


def metrics_of(spec: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    """All metrics of the task, with chance levels; the same whatever the integers' width."""
    found = _FORMED[spec.kind](spec, widened(outcomes))
    return {
        name: found[name].model_copy(update={"chance": spec.chance.get(name)})
        for name in spec.metrics
    }


def compact(outcomes: Outcomes) -> dict[str, npt.NDArray[Any]]:
    """The same numbers in narrow integers that hold them; floats as they are."""
    return {
        name: array.astype(np.result_type(*map(np.min_scalar_type, (array.min(), array.max()))))
        if array.dtype.kind in "iu" and array.size
        else array
        for name, array in outcomes.items()
    }


def widened(outcomes: Outcomes) -> dict[str, npt.NDArray[Any]]:
    """The same numbers with all integers as int64, for arithmetic."""
    return {
        name: array.astype(np.int64) if array.dtype.kind in "iu" else array
        for name, array in outcomes.items()
    }


def outcomes_path(out_dir: Path, key: str) -> Path:
    """Where the outcomes of the task `key` lie beside the report in `out_dir`."""
    return out_dir / "outcomes" / f"{key.replace('/', '__')}.npz"


def write_outcomes(path: Path, outcomes: Outcomes) -> None:
    """Write the arrays, compressed, atomically; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(outcomes))
    write_bytes(path, buffer.getvalue())


def read_outcomes(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read what `write_outcomes` wrote; `EvaluationError` if the file is not whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except OSError as error:
        raise EvaluationError(f"cannot read the outcomes {path}: {error.strerror}") from error
    except Exception as error:  # a damaged archive raises whatever its bytes lead to
        raise EvaluationError(
            f"cannot read the outcomes {path}: the file is damaged. Evaluate the run again"
        ) from error


def _classification(spec: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    n_classes = spec.n_classes or 0
    ranks, predicted, targets = (outcomes[name] for name in ("ranks", "predicted", "targets"))
    return {
        "acc1": metrics.top_k_accuracy(ranks, 1, n_classes),
        "acc5": metrics.top_k_accuracy(ranks, 5, n_classes),
        "mean_per_class_recall": metrics.mean_per_class_recall(predicted, targets),
    }


def _grouped(spec: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    found = _classification(spec, outcomes)
    for grouping in spec.groupings:
        correct = outcomes["ranks"] < grouping.top
        groups = outcomes["metadata"][:, spec.metadata.index(grouping.field)]
        found[grouping.mean] = found["acc1" if grouping.top == 1 else "acc5"]
        each = metrics.group_accuracies(correct, groups, grouping.n_groups)
        found |= dict(zip(grouping.each, each, strict=True))
        for name, first in grouping.minima.items():
            among = groups < first
            found[name] = metrics.worst_group_accuracy(correct[among], groups[among])
    return found


def _macro_f1(spec: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    found = _classification(spec, outcomes)
    found["acc_avg"] = found["acc1"]
    found["recall-macro_all"] = found["mean_per_class_recall"]
    found["F1-macro_all"] = metrics.macro_f1(outcomes["predicted"], outcomes["targets"])
    return found


def _retrieval(_: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    return ranking.retrieval(*(outcomes[k] for k in ("text_ranks", "image_ranks", "image_of_text")))


def _association(_: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    return ranking.association(outcomes["scores"], outcomes["candidates"])


def _faces(spec: TaskSpec, outcomes: Outcomes) -> dict[str, Metric]:
    predicted = {objective: outcomes[objective] for objective in faces.OBJECTIVES}
    return faces.face_results(predicted, outcomes["metadata"], spec.n_races or 0)


_FORMED: Mapping[str, Callable[[TaskSpec, Outcomes], dict[str, Metric]]] = MappingProxyType(
    {
        "classification": _classification,
        "grouped": _grouped,
        "macro_f1": _macro_f1,
        "retrieval": _retrieval,
        "association": _association,
        "faces": _faces,
    }
)
