"""Kept features: what is computed again, what never is, and what is never believed."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from datacomp.evaluation import features as module
from datacomp.evaluation.hashes import FileHashes
from datacomp.evaluation.store import FeatureStore

NAMES = [f"class {i}" for i in range(7)]
TEMPLATES = ["a {c}", "the {c}", "one {c}"]


def make_set(fakes: SimpleNamespace, folder: Path, pictures: range, shards: int = 1) -> Path:
    samples = [{"png": fakes.png(fakes.picture(i)), "cls": b"0"} for i in pictures]
    return fakes.write_set(folder, samples, shards=shards)


def rows_of(found: Any, folder: Path) -> Any:
    return np.concatenate([rows for _, rows in found.batches(folder)])


def feature_files(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / "features").glob(f"*/{kind}/**/*.npz"))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 8)
    monkeypatch.setattr(module, "IMAGE_BATCH", 4)


def test_a_second_evaluation_computes_nothing(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make_set(fakes, tmp_path / "set", range(30), shards=2)
    first, second = fakes.FakeEncoder(), fakes.FakeEncoder()
    before, after = (fakes.features(encoder, tmp_path) for encoder in (first, second))
    assert np.array_equal(rows_of(before, folder), rows_of(after, folder))
    assert np.array_equal(before.classifier(NAMES, TEMPLATES), after.classifier(NAMES, TEMPLATES))
    assert np.array_equal(before.texts(NAMES), after.texts(NAMES))
    assert (first.n_images, first.n_texts) == (30, 28)
    assert (second.n_images, second.n_texts) == (0, 0)


def test_an_interruption_costs_one_piece_of_a_shard(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make_set(fakes, tmp_path / "set", range(30))
    first, second = fakes.FakeEncoder(), fakes.FakeEncoder()
    going = fakes.features(first, tmp_path).batches(folder)
    for _ in range(5):  # of 4: the third piece of 8 is computed, and half read
        next(going)
    rows = rows_of(fakes.features(second, tmp_path), folder)
    assert (first.n_images, second.n_images) == (24, 6)
    assert np.array_equal(
        rows, rows_of(fakes.features(fakes.FakeEncoder(), tmp_path / "x"), folder)
    )


def test_pictures_that_another_set_has_are_not_encoded(
    fakes: SimpleNamespace, tmp_path: Path
) -> None:
    one = make_set(fakes, tmp_path / "one", range(20))
    other = make_set(fakes, tmp_path / "other", range(10, 25), shards=3)
    rows_of(fakes.features(fakes.FakeEncoder(), tmp_path), one)
    encoder = fakes.FakeEncoder()
    rows = rows_of(fakes.features(encoder, tmp_path), other)
    assert encoder.n_images == 5
    assert np.array_equal(rows, rows_of(fakes.features(encoder, tmp_path / "x"), other))


def test_equal_pictures_of_one_set_are_encoded_once(fakes: SimpleNamespace, tmp_path: Path) -> None:
    samples = [{"png": fakes.png(fakes.picture(i % 3))} for i in range(40)]
    folder = fakes.write_set(tmp_path / "set", samples, shards=2)
    encoder = fakes.FakeEncoder()
    rows = rows_of(fakes.features(encoder, tmp_path), folder)
    assert encoder.n_images == 3
    assert len(np.unique(rows, axis=0)) == 3


def test_another_encoder_shares_nothing(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make_set(fakes, tmp_path / "set", range(10))
    rows_of(fakes.features(fakes.FakeEncoder(seed=0), tmp_path), folder)
    other = fakes.FakeEncoder(seed=1)
    rows_of(fakes.features(other, tmp_path), folder)
    assert other.n_images == 10


def test_a_class_is_shared_by_all_that_use_its_templates(
    fakes: SimpleNamespace, tmp_path: Path
) -> None:
    encoder = fakes.FakeEncoder()
    found = fakes.features(encoder, tmp_path)
    whole = found.classifier(NAMES, TEMPLATES)
    assert encoder.n_texts == 21
    assert np.array_equal(found.classifier(NAMES[5:1:-1], TEMPLATES), whole[:, 5:1:-1])
    again = fakes.features(encoder, tmp_path)
    assert np.array_equal(again.classifier([*NAMES[:2], "new"], TEMPLATES)[:, :2], whole[:, :2])
    assert encoder.n_texts == 24
    again.classifier(NAMES, TEMPLATES[:1])
    assert encoder.n_texts == 31


def test_a_damaged_file_is_computed_again(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make_set(fakes, tmp_path / "set", range(20))
    rows = rows_of(fakes.features(fakes.FakeEncoder(), tmp_path), folder)
    path = feature_files(tmp_path, "images")[1]
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    encoder = fakes.FakeEncoder()
    again = fakes.features(encoder, tmp_path)
    assert np.array_equal(rows_of(again, folder), rows)
    assert encoder.n_images == 8
    assert len(again.store.damaged) == 1
    assert path.read_bytes() == whole


def test_no_damage_gives_other_rows(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "me")
    rows = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    store.write("texts/a", {"rows": rows})
    (path,) = tmp_path.glob("*/texts/a.npz")
    whole = path.read_bytes()
    unseen = 0
    for place in range(0, len(whole), 5):
        for damaged in (
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 8]) + whole[place + 1 :],
        ):
            path.write_bytes(damaged)
            found = store.read("texts/a", 3)
            assert found is None or np.array_equal(found["rows"], rows)
            unseen += found is not None
    assert unseen < len(whole) / 10  # bytes that say nothing, as dates


@pytest.mark.parametrize(
    "arrays",
    [
        {"rows": np.ones((3, 2), np.float64)},
        {"rows": np.ones(3, np.float32)},
        {"rows": np.ones((2, 2), np.float32)},
        {"rows": np.array([[1, 0], [1, np.nan], [0, 1]], np.float32)},
        {"rows": np.ones((3, 2), np.float32), "names": np.array(["a"])},
        {"names": np.array(["a", "b", "c"])},
    ],
    ids=["float64", "flat", "fewer", "nan", "names", "no-rows"],
)
def test_what_is_not_rows_is_not_believed(arrays: Any, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "me")
    store.write("texts/a", arrays)
    assert store.read("texts/a", 3) is None
    assert store.damaged == {"texts/a"}


def test_a_file_in_anothers_place_is_not_believed(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, "me")
    store.write("texts/a", {"rows": np.ones((3, 2), np.float32)})
    (path,) = tmp_path.glob("*/texts/a.npz")
    path.rename(path.with_name("b.npz"))
    assert store.read("texts/b", 3) is None
    assert store.read("texts/a", 3) is None
    assert store.damaged == {"texts/b"}


def test_a_hash_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datacomp.evaluation import hashes

    read = []

    def counting(path: Path, original: Any = hashes.sha256_file) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr(hashes, "sha256_file", counting)
    path = tmp_path / "0.tar"
    path.write_bytes(b"one")
    old = path.stat().st_mtime - 60
    os.utime(path, (old, old))
    monkeypatch.setattr(hashes, "SETTLED_SECONDS", -1.0)
    first = FileHashes(tmp_path / "notes")(path)
    assert FileHashes(tmp_path / "notes")(path) == first
    assert len(read) == 1
    monkeypatch.undo()
    monkeypatch.setattr(hashes, "sha256_file", counting)
    path.write_bytes(b"two")  # as long, with the time that it had
    os.utime(path, (old, old))
    assert FileHashes(tmp_path / "notes")(path) != first
    FileHashes(tmp_path / "notes")(path)
    assert len(read) == 3  # what changed just now may change again: no note of it
    (note,) = (tmp_path / "notes").iterdir()
    note.write_text(json.dumps({"0.tar": 3}))
    FileHashes(tmp_path / "notes")(path)
    assert len(read) == 4
