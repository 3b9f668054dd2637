"""Each kind of task on a set of a few samples: the oracle scores 1, and damage is an error."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from datacomp.errors import EvaluationError
from datacomp.evaluation import tasks
from datacomp.reports import Grouping, TaskSpec, load_suite

CLASSES = ("red", "blue", "green", "black", "white", "pink")
TEMPLATES = "a {c}\nsome {c} thing\n"


def make_spec(kind: str, n: int, main: str, **fields: Any) -> TaskSpec:
    classes = None if kind in ("retrieval", "association") else len(CLASSES)
    given: dict[str, Any] = {
        "key": "t",
        "name": "T",
        "kind": kind,
        "dataset": "set",
        "n": n,
        "n_classes": classes,
        "main_metric": main,
        "scored": True,
        "chance": {main: 0.1},
        "version": 1,
        "measures": "",
        "source": "",
        "licence": "",
    }
    return TaskSpec(**(given | fields))


def classified(fakes: SimpleNamespace, folder: Path, n: int = 60) -> Any:
    """A set of n pictures in six classes, and the encoder that knows them."""
    samples, means = [], {}
    for i in range(n):
        label = i % len(CLASSES)
        image = fakes.picture(i)
        means[image.tobytes()] = [t.replace("{c}", CLASSES[label]) for t in TEMPLATES.split("\n")]
        samples.append(
            {
                "png": fakes.png(image),
                "cls": str(label).encode(),
                "npy": fakes.npy([i % 2, label]),
            }
        )
    names = "\n".join(CLASSES)
    files = {"classnames.txt": names, "zeroshot_classification_templates.txt": TEMPLATES}
    fakes.write_set(folder, samples, files=files)
    return fakes.FakeEncoder(means)


def test_an_oracle_classifies_everything(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set")
    spec = make_spec("classification", 60, "acc1")
    found = tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path)).metrics
    assert {name: m.value for name, m in found.items()} == {
        "acc1": 1.0,
        "acc5": 1.0,
        "mean_per_class_recall": 1.0,
    }
    assert found["acc1"].chance == 0.1
    assert found["acc5"].chance is None


def test_groups_come_from_the_metadata(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set")
    wrong = fakes.picture(1).tobytes()  # the second picture belongs to group 1
    encoder.means[wrong] = ["a pink"]
    spec = make_spec(
        "grouped",
        60,
        "acc_wg",
        metadata=("artist", "y"),
        groupings=(Grouping(field="artist", n_groups=3, worst="acc_wg"),),
    )
    found = tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path)).metrics
    assert found["acc_avg"].value == pytest.approx(59 / 60)
    assert found["acc_artist:0"].value == 1.0
    assert found["acc_artist:1"].value == found["acc_wg"].value == pytest.approx(29 / 30)
    assert found["acc_artist:2"].value is None


def test_a_group_that_the_suite_does_not_know(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set")
    grouping = Grouping(field="y", n_groups=2, worst="acc_wg")
    spec = make_spec("grouped", 60, "acc_wg", metadata=("artist", "y"), groupings=(grouping,))
    with pytest.raises(EvaluationError, match="y has values 0 to 5, expected 0 to 1"):
        tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path))


def test_macro_f1_reports_wilds_names(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set")
    spec = make_spec("macro_f1", 60, "F1-macro_all")
    found = tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path)).metrics
    assert found["F1-macro_all"].value == found["recall-macro_all"].value == 1.0


def test_retrieval_with_one_to_three_captions(fakes: SimpleNamespace, tmp_path: Path) -> None:
    samples, means = [], {}
    for i in range(200):
        image = fakes.picture(i)
        captions = [f"caption {i} {j}" for j in range(1 + i % 3)]
        means[image.tobytes()] = captions
        samples.append({"png": fakes.png(image), "txt": "\n".join(captions).encode()})
    fakes.write_set(tmp_path / "set", samples, files={"dataset_type.txt": "retrieval"}, shards=3)
    spec = make_spec("retrieval", 200, "mean_recall@1")
    features = fakes.features(fakes.FakeEncoder(means), tmp_path)
    found = tasks.evaluate_task(spec, tmp_path / "set", features).metrics
    assert found["mean_recall@1"].value > 0.95
    assert found["image_retrieval_recall@1"].n == sum(1 + i % 3 for i in range(200))


def test_association_picks_as_many_as_belong(fakes: SimpleNamespace, tmp_path: Path) -> None:
    samples, means = [], {}
    for i in range(20):
        image = fakes.picture(i)
        means[image.tobytes()] = ["A cat" if i < 10 else "An apple"]
        samples.append({"png": fakes.png(image)})
    keys = [f"s{i:07d}" for i in range(20)]
    rows = [
        {"cue": "Cat", "candidates": keys[7:17], "associations": keys[7:10]},
        {"cue": "apple", "candidates": keys[6:18], "associations": keys[10:18]},
    ]
    files = {"dataset_type.txt": "association", "associations.jsonl": fakes.json_lines(rows)}
    fakes.write_set(tmp_path / "set", samples, files=files)
    spec = make_spec("association", 2, "jaccard_score_10-12")
    features = fakes.features(fakes.FakeEncoder(means), tmp_path)
    found = tasks.evaluate_task(spec, tmp_path / "set", features).metrics
    assert found["avg_jaccard_score"].value == 1.0
    assert found["jaccard_score_10"].value == found["jaccard_score_12"].value == 1.0
    assert found["jaccard_score_5"].value is None


def test_a_set_that_is_too_small_is_refused(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set", n=59)
    spec = make_spec("classification", 60, "acc1")
    with pytest.raises(EvaluationError, match=r"holds 59 samples.* has 60"):
        tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path))


def test_other_class_names_are_refused(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set")
    spec = make_spec("classification", 60, "acc1", n_classes=7)
    with pytest.raises(EvaluationError, match="6 classes, expected 7"):
        tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path))


def test_a_picture_that_does_not_decode_is_named(fakes: SimpleNamespace, tmp_path: Path) -> None:
    encoder = classified(fakes, tmp_path / "set", n=2)
    tar = tmp_path / "set" / "test" / "0.tar"
    tar.write_bytes(tar.read_bytes().replace(b"\x89PNG", b"\x00PNG"))
    spec = make_spec("classification", 2, "acc1")
    with pytest.raises(EvaluationError, match="sample s0000000 has a picture that does not"):
        tasks.evaluate_task(spec, tmp_path / "set", fakes.features(encoder, tmp_path))


def test_a_diverged_model_is_an_error(fakes: SimpleNamespace, tmp_path: Path) -> None:
    classified(fakes, tmp_path / "set")

    class Diverged(fakes.FakeEncoder):
        def encode_image(self, images: Any) -> Any:
            return np.full((len(images), 64), np.nan, np.float32)

    spec = make_spec("classification", 60, "acc1")
    with pytest.raises(EvaluationError, match="diverged"):
        tasks.evaluate_task(spec, tmp_path / "set", fakes.features(Diverged(), tmp_path))


def test_equal_pictures_and_prompts_are_encoded_once(
    fakes: SimpleNamespace, tmp_path: Path
) -> None:
    encoder = classified(fakes, tmp_path / "set")
    features = fakes.features(encoder, tmp_path)
    spec = make_spec("classification", 60, "acc1")
    tasks.evaluate_task(spec, tmp_path / "set", features)
    tasks.evaluate_task(spec, tmp_path / "set", features)
    assert (encoder.n_images, encoder.n_texts) == (60, 12)


def test_a_picture_that_is_a_bomb_is_named(
    fakes: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = classified(fakes, tmp_path / "set", n=1)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 4)
    with pytest.raises(EvaluationError, match=r"s0000000 .*bomb"):
        list(fakes.features(encoder, tmp_path).batches(tmp_path / "set"))


def test_a_classifier_is_the_unit_mean_of_unit_prompts(
    fakes: SimpleNamespace, tmp_path: Path
) -> None:
    def unit(row: Any) -> Any:
        return row / np.linalg.norm(row)

    features = fakes.features(fakes.FakeEncoder(), tmp_path)
    expected = unit(unit(fakes.vector(b"0a cat")) + unit(fakes.vector(b"0the cat")))
    found = features.classifier(["cat", "dog"], ["a {c}", "the {c}"])
    assert found.shape == (64, 2)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)


def test_every_kind_of_every_suite_has_an_evaluator() -> None:
    assert {task.kind for task in load_suite("tiny").tasks} <= set(tasks.EVALUATORS)
