"""The contract of the suite: on every task an oracle scores 1 and a random encoder chance.

The oracle maps a picture to the sum of the texts that are right for it, the random one every
picture and every text to a vector of its own. Also: what the sets hold.
"""

import io
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from datacomp.evaluation import dataset
from datacomp.evaluation.ranking import cue_prompt
from datacomp.evaluation.tasks import evaluate_task
from datacomp.evaluation.tiny_data import build_tiny_suite
from datacomp.evaluation.tiny_sets import COLOURS, THINGS, thing
from datacomp.reports import TaskSpec, load_suite

SUITE = load_suite("tiny")


def pixels(sample: dataset.Sample) -> bytes:
    return Image.open(io.BytesIO(sample.image)).convert("RGB").tobytes()


def right_texts(spec: TaskSpec, folder: Path) -> dict[bytes, list[str]]:
    """Pixels of every picture of a task to the texts that are right for it."""
    samples = list(dataset.read_samples(folder))
    if spec.kind == "retrieval":
        return {pixels(s): s.captions() for s in samples}
    if spec.kind == "association":
        found: dict[bytes, list[str]] = {pixels(s): ["nothing"] for s in samples}
        where = {s.key: pixels(s) for s in samples}
        for item in dataset.read_associations(folder):
            for key in item.associations:
                if cue_prompt(item.cue) not in found[where[key]]:
                    found[where[key]].append(cue_prompt(item.cue))
        return found
    names = dataset.read_classnames(folder)
    templates = dataset.read_templates(folder)
    return {
        pixels(s): [t.replace("{c}", names[s.label(len(names))]) for t in templates]
        for s in samples
    }


@pytest.mark.parametrize("spec", SUITE.tasks, ids=lambda t: t.key)
def test_an_oracle_scores_one(
    spec: TaskSpec, tiny_suite: Path, fakes: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tiny_suite / spec.dataset
    encoder = fakes.FakeEncoder(right_texts(spec, folder), width=2048)
    main = evaluate_task(spec, folder, fakes.features(encoder, tmp_path)).metrics[spec.main_metric]
    assert main.value == 1.0


@pytest.mark.parametrize("spec", SUITE.tasks, ids=lambda t: t.key)
def test_a_random_encoder_scores_chance(
    spec: TaskSpec, tiny_suite: Path, fakes: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tiny_suite / spec.dataset
    for seed in range(2):
        features = fakes.features(fakes.FakeEncoder(seed=seed), tmp_path)
        found = evaluate_task(spec, folder, features).metrics
        assert abs(found[spec.main_metric].value - spec.chance[spec.main_metric]) <= 4 * spec.noise


@pytest.mark.parametrize("spec", SUITE.tasks, ids=lambda t: t.key)
def test_no_two_samples_of_a_task_show_the_same(spec: TaskSpec, tiny_suite: Path) -> None:
    counts = Counter(s.image for s in dataset.read_samples(tiny_suite / spec.dataset))
    assert max(counts.values()) == 1


def test_classes_have_different_names(tiny_suite: Path) -> None:
    for spec in SUITE.tasks:
        if spec.n_classes:
            names = dataset.read_classnames(tiny_suite / spec.dataset)
            assert len(set(names)) == len(names), spec.key


def test_the_suite_stays_small_enough_to_evaluate_in_seconds(tiny_suite: Path) -> None:
    images = {s.image for t in SUITE.tasks for s in dataset.read_samples(tiny_suite / t.dataset)}
    assert 2000 < len(images) < 4000


def test_every_thing_and_colour_occurs_several_times(tiny_suite: Path) -> None:
    for key, names in (("things", THINGS), ("colours", COLOURS)):
        folder = tiny_suite / SUITE[key].dataset
        counts = Counter(s.label(len(names)) for s in dataset.read_samples(folder))
        assert len(counts) == len(names)
        assert min(counts.values()) >= 3


def test_the_first_thing_that_a_name_contains_counts() -> None:
    assert thing("grinning cat with smiling eyes") == "cat"
    assert thing("hot dog") is None
    assert thing("four-thirty") == "clock"
    assert thing("Oman flag") == "flag"
    assert thing("rabbit") is None


def test_the_data_are_the_same_bytes_again(tiny_suite: Path, tmp_path: Path) -> None:
    again = build_tiny_suite(tmp_path)
    assert again.name == tiny_suite.name
    for spec in SUITE.tasks:
        first = dataset.dataset_sha256(tiny_suite / spec.dataset)
        assert dataset.dataset_sha256(again / spec.dataset) == first


def test_data_that_are_there_are_not_built_again(
    tiny_suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr("datacomp.evaluation.tiny_data.write_set", never)
    assert build_tiny_suite(tiny_suite.parent) == tiny_suite


def test_a_build_that_breaks_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("datacomp.evaluation.tiny_data.write_set", broken)
    monkeypatch.setattr("datacomp.evaluation.tiny_sets.pictures", lambda _: ())
    monkeypatch.setattr("datacomp.evaluation.tiny_sets._MAKERS", (lambda _: None,))
    with pytest.raises(OSError, match="disk full"):
        build_tiny_suite(tmp_path)
    assert list(tmp_path.iterdir()) == []
