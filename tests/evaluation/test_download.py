"""Evaluation sets from a hub that fails in its ways: what comes, what is kept, what it says."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from datacomp.cli.evaluate_download import app
from datacomp.errors import EvaluationError, UnknownNameError, UsageError
from datacomp.evaluation import convert, download
from datacomp.evaluation.dataset import read_associations, read_samples
from datacomp.evaluation.download import download_sets
from datacomp.evaluation.tasks import evaluate_task
from datacomp.reports import Suite, TaskSpec, load_suite

PETS = "wds_vtab-pets_test"
REPO = f"djghosh/{PETS}"
RETRIEVAL = "retrieval/flickr_1k_test_image_text_retrieval"
NAMES = ("cat", "dog", "owl")


def small(key: str, **fields: Any) -> TaskSpec:
    return load_suite("datacomp38")[key].model_copy(update=fields)


@pytest.fixture(autouse=True)
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    """datacomp38's pets, Flickr and WinoGAViL, with few pictures."""
    tasks = (
        small("vtab/pets", n=6, n_classes=3),
        small(RETRIEVAL, n=4),
        small("misc/winogavil", n=3),
    )
    few = load_suite("datacomp38").model_copy(update={"tasks": tasks})
    monkeypatch.setattr(download, "load_suite", lambda _: few)
    return few


@pytest.fixture
def pets(tmp_path: Path, fakes: SimpleNamespace) -> dict[str, bytes]:
    """The pets' repository: six pictures in two tars, and files that are nobody's business."""
    samples = [{"png": fakes.png(fakes.picture(i)), "cls": str(i % 3).encode()} for i in range(6)]
    texts = {
        "classnames.txt": "\n".join(NAMES),
        "zeroshot_classification_templates.txt": "a {c}\n",
    }
    folder = fakes.write_set(tmp_path / "repo", samples, files=texts, shards=2)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    shutil.rmtree(folder)
    return files | {"README.md": b"#", ".gitattributes": b"*.tar"}


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def fetch(data: Path, *tasks: str) -> Any:
    return download_sets("datacomp38", data, tasks or ("vtab/pets",))


def failure(data: Path, *tasks: str) -> str:
    (error,) = [one.error for one in fetch(data, *tasks).sets]
    assert error is not None
    return error


def test_what_was_downloaded_evaluates(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, suite: Suite, fakes: SimpleNamespace
) -> None:
    commit = hub.commit(pets, REPO)
    (report,) = fetch(tmp_path).sets
    assert (report.commit, report.n_files, report.n_fetched) == (commit, 5, 5)
    assert content(tmp_path / PETS) == {
        name: data for name, data in pets.items() if name.endswith((".txt", ".tar"))
    }
    assert list((tmp_path / ".staging").iterdir()) == []
    means = {fakes.picture(i).tobytes(): [f"a {NAMES[i % 3]}"] for i in range(6)}
    features = fakes.features(fakes.FakeEncoder(means), tmp_path / "features")
    found = evaluate_task(suite["vtab/pets"], tmp_path / PETS, features)
    assert found.metrics["acc1"].value == 1.0


def test_the_same_call_again_asks_nobody(hub: Any, pets: dict[str, bytes], tmp_path: Path) -> None:
    hub.commit(pets, REPO)
    fetch(tmp_path)
    hub.asked.clear()
    assert [one.n_fetched for one in fetch(tmp_path).sets] == [0]
    assert hub.asked == []


@pytest.mark.parametrize("name", ["test/1.tar", "classnames.txt"])
def test_a_transfer_that_breaks_or_brings_other_bytes_is_made_again(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    hub.commit(pets, REPO)
    hub.cut[name] = hub.wrong[name] = 1
    fetch(tmp_path)
    assert content(tmp_path / PETS)[name] == pets[name]


@pytest.mark.parametrize("name", ["test/1.tar", "classnames.txt"])
def test_bytes_that_stay_wrong_never_enter_the_set(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    hub.commit(pets, REPO)
    hub.wrong[name] = 100
    assert f"{name} of {REPO}" in failure(tmp_path)
    assert not (tmp_path / PETS / name).exists()
    hub.wrong.clear()
    assert fetch(tmp_path).is_complete
    assert content(tmp_path / PETS)[name] == pets[name]


def test_a_stopped_download_goes_on_at_its_commit(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacomp.evaluation import hub_set

    original = hub_set._publish

    def stopped(path: Path, target: Path) -> None:
        if target.name == "1.tar":
            raise KeyboardInterrupt
        original(path, target)

    first = hub.commit(pets, REPO)
    with monkeypatch.context() as patch:
        patch.setattr(hub_set, "_publish", stopped)
        patch.setattr(hub_set, "in_threads", lambda do, files: ((f, do(f)) for f in files))
        with pytest.raises(KeyboardInterrupt):
            fetch(tmp_path)
    hub.commit(pets | {"test/1.tar": b"other"}, REPO)
    (report,) = fetch(tmp_path).sets
    assert report.commit == first
    assert content(tmp_path / PETS)["test/1.tar"] == pets["test/1.tar"]


def test_another_process_goes_on_with_the_one_command(
    hub: Any, pets: dict[str, bytes], tmp_path: Path
) -> None:
    hub.commit(pets, REPO)
    fetch(tmp_path)
    (tmp_path / PETS / "test" / "1.tar").unlink()
    command = [sys.executable, "-m", "datacomp", "evaluate", "download", "--task", "vtab/pets"]
    result = subprocess.run([*command, "--data-dir", str(tmp_path)], capture_output=True, text=True)
    assert (result.returncode, "error" in result.stderr) == (0, False), result.stderr
    assert content(tmp_path / PETS)["test/1.tar"] == pets["test/1.tar"]


def test_files_of_an_earlier_tool_are_compared_and_kept(
    hub: Any, pets: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / PETS / "test").mkdir(parents=True)
    (tmp_path / PETS / "test" / "0.tar").write_bytes(pets["test/0.tar"])
    (tmp_path / PETS / "test" / "1.tar").write_bytes(b"")  # what wget leaves when it fails
    hub.commit(pets, REPO)
    assert [one.n_fetched for one in fetch(tmp_path).sets] == [4]
    assert not any("0.tar" in path for path in hub.asked)
    assert content(tmp_path / PETS)["test/1.tar"] == pets["test/1.tar"]


def test_a_whole_file_of_somebody_else_is_never_overwritten(
    hub: Any, pets: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / PETS).mkdir()
    (tmp_path / PETS / "classnames.txt").write_text("my own names")
    hub.commit(pets, REPO)
    assert "classnames.txt is not the hub's" in failure(tmp_path)
    assert content(tmp_path / PETS) == {"classnames.txt": b"my own names"}


def test_a_repository_that_is_not_there_does_not_cost_the_others(
    hub: Any, pets: dict[str, bytes], tmp_path: Path
) -> None:
    hub.commit(pets, REPO)
    report = fetch(tmp_path, "vtab/pets", RETRIEVAL)
    errors = [one.error for one in report.sets]
    assert not report.is_complete
    assert errors[0] is None
    assert "nlphuji/flickr_1k_test_image_text_retrieval at refs/convert/parquet" in str(errors[1])
    assert "by hand" in str(errors[1])


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match=r"cannot write into .*file: Not a directory"):
        download_sets("datacomp38", tmp_path / "file")


@pytest.mark.parametrize("gone", ["classnames.txt", "test/0.tar", "test/nshards.txt"])
def test_a_repository_in_another_layout_says_what_it_lacks(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, gone: str
) -> None:
    del pets[gone]
    hub.commit(pets, REPO)
    assert f"it has no {gone}" in failure(tmp_path)
    assert not (tmp_path / PETS).exists()


def test_a_count_of_tars_that_does_not_hold_is_found(
    hub: Any, pets: dict[str, bytes], tmp_path: Path
) -> None:
    hub.commit(pets | {"test/nshards.txt": b"3\n"}, REPO)
    assert "has 2 tars, its nshards.txt says '3'" in failure(tmp_path)


def test_sets_that_do_not_fit_are_not_begun(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.commit(pets, REPO)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(EvaluationError, match=r"need 0\.0 GB more .*--task"):
        fetch(tmp_path)
    assert not (tmp_path / PETS).exists()


def test_a_damaged_record_says_what_to_do(hub: Any, pets: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / f"{PETS}.json").write_text('{"format": 7}')
    assert "Remove it" in failure(tmp_path)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def image(number: int) -> dict[str, Any]:
    return {"bytes": jpeg(number), "path": f"{number}.jpg"}


CAPTIONS = [["a red one", "it is\nred"], ["blue"], ["green", "leaf"], ["black"]]
FLICKR = [{"image": image(i), "caption": captions, "id": i} for i, captions in enumerate(CAPTIONS)]


def test_retrieval_comes_from_the_hubs_own_conversion(
    hub: Any, tmp_path: Path, suite: Suite, fakes: SimpleNamespace
) -> None:
    spec = suite[RETRIEVAL]
    files = {
        "TEST/test/0000.parquet": parquet(FLICKR[:3]),
        "TEST/test/0001.parquet": parquet(FLICKR[3:]),
        "TEST/train/0000.parquet": b"not this",
    }
    hub.commit(files, spec.source, convert.PARQUET_BRANCH)
    assert fetch(tmp_path, RETRIEVAL).is_complete
    samples = list(read_samples(tmp_path / spec.dataset))
    assert [sample.image for sample in samples] == [jpeg(i) for i in range(4)]
    assert [sample.captions() for sample in samples[:2]] == [["a red one", "it is red"], ["blue"]]
    found = evaluate_task(
        spec, tmp_path / spec.dataset, fakes.features(fakes.FakeEncoder(), tmp_path / "features")
    )
    assert found.metrics["mean_recall@1"].value is not None
    hub.asked.clear()
    assert [one.n_fetched for one in fetch(tmp_path, RETRIEVAL).sets] == [0]
    assert hub.asked == []


WINOGAVIL = [
    {
        "cue": "pack",
        "candidates": ["wolf", "bag", "pie"],
        "candidate_images": [image(1), image(2), image(3)],
        "associations": ["wolf", "bag"],
    },
    {
        "cue": "ape",
        "candidates": ["bag", "wolf", "sack"],
        "candidate_images": [image(2), image(1), image(2)],
        "associations": ["sack"],
    },
    {
        "cue": "oven",
        "candidates": ["pie", "bag"],
        "candidate_images": [image(3), image(2)],
        "associations": ["pie"],
    },
]


def test_associations_keep_their_candidates_in_order_and_each_picture_once(
    hub: Any, tmp_path: Path, suite: Suite, fakes: SimpleNamespace
) -> None:
    spec = suite["misc/winogavil"]
    files = {"TEST/winogavil-test.parquet": parquet(WINOGAVIL)}
    hub.commit(files, spec.source, convert.PARQUET_BRANCH)
    assert fetch(tmp_path, spec.key).is_complete
    folder = tmp_path / spec.dataset
    pictures = {sample.key: sample.image for sample in read_samples(folder)}
    assert sorted(pictures.values()) == sorted(
        map(jpeg, (1, 2, 2, 3))
    )  # one instance shows 2 twice
    for row, instance in zip(WINOGAVIL, read_associations(folder), strict=True):
        shown = [one["bytes"] for one in row["candidate_images"]]
        assert instance.cue == row["cue"]
        assert [pictures[key] for key in instance.candidates] == shown
        right = [i for i, word in enumerate(row["candidates"]) if word in row["associations"]]
        assert [instance.candidates.index(key) for key in instance.associations] == right
    assert evaluate_task(
        spec, folder, fakes.features(fakes.FakeEncoder(), tmp_path / "features")
    ).metrics


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"TEST/train/0000.parquet": b""}, "no Parquet file of a test split"),
        ({"TEST/test/0000.parquet": parquet(FLICKR[:3])}, "has 3 rows of a test split"),
        ({"TEST/test/0000.parquet": parquet([{"image": image(0)}] * 4)}, "no column 'caption'"),
        ({"TEST/test/0000.parquet": b"nonsense"}, "cannot be read"),
        (
            {"TEST/test/0000.parquet": parquet([{"image": "url", "caption": ["a"]}] * 4)},
            "no JPEG, PNG or WebP",
        ),
    ],
)
def test_a_conversion_that_is_not_what_the_task_needs_is_never_a_set(
    hub: Any, tmp_path: Path, suite: Suite, files: dict[str, bytes], words: str
) -> None:
    spec = suite[RETRIEVAL]
    hub.commit(files, spec.source, convert.PARQUET_BRANCH)
    assert words in failure(tmp_path, RETRIEVAL)
    assert not (tmp_path / spec.dataset).exists()
    hub.commit({"TEST/test/0000.parquet": parquet(FLICKR)}, spec.source, convert.PARQUET_BRANCH)
    assert fetch(tmp_path, RETRIEVAL).is_complete


def test_a_set_that_was_put_there_by_hand_is_left_alone(
    hub: Any, tmp_path: Path, suite: Suite
) -> None:
    (tmp_path / suite[RETRIEVAL].dataset).mkdir()
    (report,) = fetch(tmp_path, RETRIEVAL).sets
    assert (report.error, report.commit, report.n_fetched) == (None, None, 0)
    assert hub.asked == []


def test_two_downloads_at_once_are_refused(tmp_path: Path) -> None:
    from datacomp.files import locked

    with (
        locked(tmp_path / ".staging", RuntimeError()),
        pytest.raises(EvaluationError, match="another download into"),
    ):
        fetch(tmp_path)


def test_names_are_checked_before_anything_is_asked(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'vtab/pets'"):
        fetch(tmp_path, "vtab/pest")
    monkeypatch.undo()
    with pytest.raises(UnknownNameError, match="no suite named 'datacomp'"):
        download_sets("datacomp", tmp_path)
    with pytest.raises(UsageError, match="builds its sets itself"):
        download_sets("tiny", tmp_path)


def test_the_command_counts_names_the_failed_and_says_what_next(
    hub: Any, pets: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commit = hub.commit(pets, REPO)
    whole = CliRunner().invoke(app, ["--data-dir", str(tmp_path), "--task", "vtab/pets"])
    assert whole.exit_code == 0
    assert commit[:12] in whole.stdout
    assert "1 of 1" in whole.stdout
    assert "--data-dir" in whole.stdout
    partial = CliRunner().invoke(app, ["--data-dir", str(tmp_path)])
    assert partial.exit_code == 1
    assert "1 of 3" in partial.stdout
    assert "wds_misc-winogavil_test failed: cannot fetch" in partial.stderr
    as_json = CliRunner().invoke(app, ["--data-dir", str(tmp_path), "--json"])
    assert len(json.loads(as_json.stdout)["sets"]) == 3
