"""Reading evaluation sets: what streams out, and how each kind of damage is named."""

import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from datacomp.errors import EvaluationError
from datacomp.evaluation import dataset


def make(fakes: SimpleNamespace, folder: Path, n: int = 5, shards: int = 2) -> Path:
    samples = [
        {"png": fakes.png(fakes.picture(i)), "cls": str(i % 3).encode(), "npy": fakes.npy([i, 7])}
        for i in range(n)
    ]
    files = {
        "classnames.txt": "red \nblue\ngreen\n",
        "zeroshot_classification_templates.txt": "a {c}\nsome {c} thing\n",
    }
    return fakes.write_set(folder, samples, files=files, shards=shards)


def test_samples_come_with_their_members(fakes: SimpleNamespace, tmp_path: Path) -> None:
    samples = list(dataset.read_samples(make(fakes, tmp_path / "set")))
    assert [s.key for s in samples] == [f"s{i:07d}" for i in (0, 2, 4, 1, 3)]
    assert [s.label(3) for s in samples] == [0, 2, 1, 1, 0]
    assert samples[1].metadata(2).tolist() == [2, 7]
    assert samples[0].image == fakes.png(fakes.picture(0))


def test_names_and_templates_are_lines(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    assert dataset.read_classnames(folder) == ["red", "blue", "green"]
    assert dataset.read_templates(folder) == ["a {c}", "some {c} thing"]


def test_captions_are_lines(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = fakes.write_set(tmp_path / "set", [{"jpg": b"x", "txt": b"one\n two \n\n"}])
    (sample,) = dataset.read_samples(folder)
    assert sample.captions() == ["one", "two"]


def test_the_hash_covers_names_and_contents(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    first = dataset.dataset_sha256(folder)
    assert dataset.dataset_sha256(make(fakes, tmp_path / "again")) == first
    (folder / "classnames.txt").write_text("red\nblue\nblack\n")
    assert dataset.dataset_sha256(folder) != first


@pytest.mark.parametrize(
    ("member", "data", "read", "facts"),
    [
        ("cls", b"3", lambda s: s.label(3), ("s0000000", "'3'", "0 to 2")),
        ("cls", b"-1", lambda s: s.label(3), ("'-1'",)),
        ("npy", b"junk", lambda s: s.metadata(2), ("s0000000", "damaged .npy")),
        ("npy", b"", lambda s: s.metadata(2), ("s0000000", "damaged .npy")),
        ("npy", b"PK\3\4", lambda s: s.metadata(2), ("s0000000", "damaged .npy")),
        ("txt", b"\xff", lambda s: s.captions(), ("s0000000", "not UTF-8")),
        ("txt", b"\n\n", lambda s: s.captions(), ("s0000000", "no caption")),
        ("cls", b"0", lambda s: s.captions(), ("no .txt", "it has: .cls")),
        ("cls", b"0", lambda s: s.image, ("no picture",)),
    ],
)
def test_a_wrong_member_is_named(
    fakes: SimpleNamespace, tmp_path: Path, member: str, data: bytes, read, facts
) -> None:
    folder = fakes.write_set(tmp_path / "set", [{member: data}])
    (sample,) = dataset.read_samples(folder)
    with pytest.raises(EvaluationError) as caught:
        read(sample)
    assert all(fact in str(caught.value) for fact in facts)


def test_metadata_of_another_width(fakes: SimpleNamespace, tmp_path: Path) -> None:
    (sample,) = dataset.read_samples(fakes.write_set(tmp_path / "s", [{"npy": fakes.npy([1])}]))
    with pytest.raises(EvaluationError, match="expected 3 integers"):
        sample.metadata(3)


def test_a_pickle_is_never_loaded(fakes: SimpleNamespace, tmp_path: Path) -> None:
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (sample,) = dataset.read_samples(fakes.write_set(tmp_path / "s", [{"npy": buffer.getvalue()}]))
    with pytest.raises(EvaluationError, match="damaged"):
        sample.metadata(1)


def test_a_missing_and_a_truncated_tar(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    path = folder / "test" / "1.tar"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(EvaluationError, match=r"1\.tar"):
        list(dataset.read_samples(folder))
    path.unlink()
    with pytest.raises(EvaluationError, match=r"1\.tar"):
        list(dataset.read_samples(folder))


@pytest.mark.parametrize("told", ["3", "²", "9" * 5000, "-1", ""])
def test_a_wrong_number_of_tars_is_found_at_once(
    fakes: SimpleNamespace, tmp_path: Path, told: str
) -> None:
    folder = make(fakes, tmp_path / "set")
    (folder / "test" / "nshards.txt").write_text(told)
    with pytest.raises(EvaluationError, match=r"nshards\.txt"):
        dataset.tars(folder)


def test_the_hash_covers_a_folder_behind_a_link(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    (folder / "test").rename(tmp_path / "elsewhere")
    (folder / "test").symlink_to(tmp_path / "elsewhere")
    before = dataset.dataset_sha256(folder)
    (tmp_path / "elsewhere" / "0.tar").write_bytes(b"other")
    assert dataset.dataset_sha256(folder) != before


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="no evaluation set at"):
        dataset.dataset_sha256(tmp_path / "nowhere")


def test_another_type_of_set(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    dataset.check_type(folder, "classification")
    (folder / "dataset_type.txt").write_text("retrieval\n")
    with pytest.raises(EvaluationError, match="holds a retrieval set"):
        dataset.check_type(folder, "classification")


def test_a_template_without_a_place(fakes: SimpleNamespace, tmp_path: Path) -> None:
    folder = make(fakes, tmp_path / "set")
    (folder / "zeroshot_classification_templates.txt").write_text("a photo\n")
    with pytest.raises(EvaluationError, match="a photo"):
        dataset.read_templates(folder)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"cue": "a", "candidates": ["x"], "associations": ["y"]}',
        '{"cue": 1, "candidates": ["x"], "associations": ["x"]}',
        '{"cue": "a", "candidates": ["x", "x"], "associations": ["x"]}',
        '{"cue": "a", "candidates": ["x", "y"], "associations": ["x", "x"]}',
        '{"cue": "a", "candidates": ["x"], "associations": [["x"]]}',
    ],
)
def test_a_wrong_association_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "associations.jsonl").write_text(line + "\n")
    with pytest.raises(EvaluationError, match=r"associations\.jsonl"):
        dataset.read_associations(tmp_path)


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "nshards.txt").write_text("1")
    with tarfile.open(tmp_path / "test" / "0.tar", "w") as tar:
        info = tarfile.TarInfo("s0.cls")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(info)
    assert list(dataset.read_samples(tmp_path)) == []
