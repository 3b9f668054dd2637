"""The 40 tasks, from sets on disk to numbers, as the original DataComp code scored them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datacomp.errors import EvaluationError
from datacomp.evaluation.tasks import evaluate_task
from datacomp.reports import TaskSpec, load_suite

GOLDEN = Path(__file__).parents[1] / "golden" / "eval"
SUITE = load_suite("datacomp38")
SETS = json.loads((GOLDEN / "sets.json").read_text())
ANSWERS = {
    row["key"]: row["metrics"]
    for row in map(json.loads, (GOLDEN / "eval_results.jsonl").read_text().splitlines())
}
OURS = {"wilds/fmow": {"acc_worst_named_region"}}
"""Metrics that the original does not have."""


@pytest.fixture(scope="module")
def arrays() -> Mapping[str, Any]:
    with np.load(GOLDEN / "features.npz", allow_pickle=False) as file:
        return dict(file)


class GoldenEncoder:
    """Reads a picture's feature by the row that its first pixel spells; texts by their hash."""

    name = identity = "golden"

    def __init__(self, fakes: Any, images: Any, texts: Any) -> None:
        self.fakes, self.images, self.texts = fakes, images, texts

    def encode_image(self, images: Sequence[Image.Image]) -> Any:
        rows = [image.getpixel((0, 0)) for image in images]
        return np.stack([self.images[red + 256 * green] for red, green, _ in rows])

    def encode_text(self, texts: Sequence[str]) -> Any:
        return np.stack([self._text(text) for text in texts])

    def _text(self, text: str) -> Any:
        _, _, number = text.partition("caption ")
        return self.texts[int(number)] if number.isdigit() else self.fakes.vector(text.encode())


@pytest.fixture
def written(fakes: Any, arrays: Mapping[str, Any], tmp_path: Path) -> Any:
    def write(spec: TaskSpec) -> tuple[TaskSpec, Path, Any]:
        spec, folder, part = write_golden(spec, arrays, fakes, tmp_path)
        encoder = GoldenEncoder(fakes, part["images"], part.get("text_features"))
        return spec, folder, fakes.features(encoder, tmp_path)

    return write


def write_golden(spec: TaskSpec, arrays: Mapping[str, Any], fakes: Any, root: Path) -> Any:
    """Write the set; returns the task with its n, the folder, and the set's arrays."""
    part = {
        name.removeprefix(f"{spec.key}/"): array
        for name, array in arrays.items()
        if name.startswith(f"{spec.key}/")
    }
    n = len(part["images"])
    samples = [{"png": fakes.png(fakes.picture(row))} for row in range(n)]
    for row, sample in enumerate(samples):
        if "target" in part:
            sample["cls"] = str(part["target"][row]).encode()
        if "metadata" in part:
            sample["npy"] = fakes.npy(part["metadata"][row])
        if "text_image_index" in part:
            own = np.flatnonzero(part["text_image_index"] == row)
            sample["txt"] = "\n".join(f"caption {i}" for i in own).encode()
    folder = fakes.write_set(root / spec.dataset, samples, files=text_files(spec, fakes))
    if spec.kind == "association":
        n = len(SETS[spec.key]["instances"])
    return spec.model_copy(update={"n": n}), folder, part


def text_files(spec: TaskSpec, fakes: Any) -> dict[str, str]:
    found = SETS[spec.key]
    if spec.kind == "retrieval":
        return {"dataset_type.txt": "retrieval"}
    if spec.kind == "association":
        rows = [
            {
                "cue": cue,
                "candidates": [f"s{first + i:07d}" for i in range(n)],
                "associations": [f"s{first + i:07d}" for i in right],
            }
            for cue, n, right, first in found["instances"]
        ]
        return {"dataset_type.txt": "association", "associations.jsonl": fakes.json_lines(rows)}
    return {f"{name}.txt": "\n".join(lines) for name, lines in found.items()}


@pytest.mark.parametrize("spec", SUITE.tasks, ids=lambda spec: spec.key)
def test_every_metric_is_the_originals(spec: TaskSpec, written: Any) -> None:
    found = evaluate_task(*written(spec)).metrics
    expected = {k: v for k, v in ANSWERS[spec.key].items() if not k.startswith("count_")}
    main = expected.pop("main_metric")
    assert set(found) - OURS.get(spec.key, set()) == set(expected)
    for name, value in expected.items():
        if value is None or np.isnan(value):
            assert found[name].value is None, name
        else:
            assert found[name].value == pytest.approx(value, abs=1e-6), name
            assert found[name].stderr is not None, name
    assert main == (expected[spec.main_metric] if spec.main_metric else None)


@pytest.mark.parametrize("key", [spec.key for spec in SUITE.tasks if spec.groupings])
def test_groups_have_the_originals_sizes(key: str, written: Any) -> None:
    found = evaluate_task(*written(SUITE[key])).metrics
    for grouping in SUITE[key].groupings:
        for i, name in enumerate(grouping.each):
            assert found[name].n == ANSWERS[key][f"count_{grouping.field}:{i}"]


def test_the_worst_named_region_leaves_out_the_other_one(written: Any) -> None:
    found = evaluate_task(*written(SUITE["wilds/fmow"])).metrics
    assert found["acc_worst_region"].value == found["acc_region:5"].value == 0.25
    assert found["acc_worst_named_region"].value == found["acc_region:4"].value == 5 / 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classnames": ["race:a", "gender:b", "age:c"]}, "begin with 'toxic:'"),
        ({"zeroshot_classification_templates": ["race:a {c}"]}, "begin with 'gender:'"),
        ({"classnames": ["race:a", "gender:b", "age:c", "toxic:d"]}, "names 1 races, expected 5"),
    ],
)
def test_faces_of_another_kind_are_refused(
    change: dict[str, list[str]], message: str, written: Any
) -> None:
    spec, folder, features = written(SUITE["fairness/utkface"])
    for name, lines in change.items():
        (folder / f"{name}.txt").write_text("\n".join(lines))
    with pytest.raises(EvaluationError, match=message):
        evaluate_task(spec, folder, features)


def test_metadata_that_no_face_has_is_refused(written: Any) -> None:
    spec, folder, features = written(SUITE["fairness/fairface"])
    (folder / "classnames.txt").write_text("race:a\nrace:b\ngender:c\nage:d\ntoxic:e")
    with pytest.raises(EvaluationError, match=r"race 0 to 1, race_binary 0 to 1, none negative"):
        evaluate_task(spec.model_copy(update={"n_races": 2}), folder, features)


def test_the_suite_is_datacomps() -> None:
    assert [spec.key for spec in SUITE.tasks] == list(ANSWERS)
    assert (len(SUITE.tasks), len(SUITE.scored)) == (40, 38)
    members = {g: sum(g in spec.groups for spec in SUITE.scored) for g in SUITE.groups}
    assert members == {"ImageNet": 1, "ImageNet dist. shifts": 6, "VTAB": 13, "Retrieval": 3}
