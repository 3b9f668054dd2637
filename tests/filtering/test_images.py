"""Steps that see pictures, fits, and devices: decoded once, computed once, counted."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import (
    LocalExecutor,
    PartsFailed,
    explain,
    filter_class,
    load_plugin,
    run_filter,
)
from datacomp.filtering.executor import gpu_shares
from datacomp.pool import index_pool, open_pool

load_plugin(Path(__file__).with_name("toys.py"))
Colourful, PrimeLength = filter_class("toy_colourful"), filter_class("toy_prime")
YELLOW, RED, BLACK = (200, 200, 0), (200, 0, 0), (0, 0, 0)


def png(colour):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pool(tmp_path):
    """Two parts of three rows; row 4 has a broken picture, row 5 none."""
    folder = tmp_path / "pool"
    (folder / "metadata").mkdir(parents=True)
    (folder / "shards").mkdir()
    pictures = [png(YELLOW), png(RED), png(BLACK), png(YELLOW), png(YELLOW)[:40]]
    for part in range(2):
        uids = [f"{row:032x}" for row in range(3 * part, 3 * part + 3)]
        table = pa.table({"uid": uids, "text": [f"row {uid}" for uid in uids]})
        pq.write_table(table, folder / "metadata" / f"{part:04d}.parquet")
    with tarfile.open(folder / "shards" / "00000000.tar", "w") as tar:
        for row, picture in enumerate(pictures):
            members = {
                "png": picture,
                "txt": b"a caption",
                "json": json.dumps({"uid": f"{row:032x}"}).encode(),
            }
            for suffix, data in members.items():
                info = tarfile.TarInfo(f"{row:09d}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    (folder / "shards" / "00000000_stats.json").write_text('{"successes": 5}')
    index_pool(str(folder))
    return open_pool(str(folder))


def kept(result):
    return result.subset.uids["f1"].tolist()


def test_all_image_steps_share_one_decoding_of_a_picture(pool, tmp_path):
    log = tmp_path / "log"
    result = run_filter(Colourful(log=str(log)), pool, tmp_path / "scores")
    assert kept(result) == [0, 3]
    assert result.counts.dropped == {"unseen": 2, "dull": 2}
    shown = [line.split(maxsplit=1) for line in log.read_text().splitlines()]
    red = [ids for channel, ids in shown if channel == "0"]
    green = [ids for channel, ids in shown if channel == "1"]
    assert red == green, "both steps were handed the very same pictures"
    assert len(red) == 2


def test_rows_without_a_picture_and_broken_ones_are_counted(pool, tmp_path):
    red, green, length = run_filter(Colourful(), pool, tmp_path / "scores").steps
    assert (red.no_image, red.broken_image) == (green.no_image, green.broken_image) == (1, 1)
    assert (length.no_image, length.broken_image) == (0, 0)
    manifests = (tmp_path / "scores").rglob("manifest.jsonl")
    lines = [json.loads(line) for path in manifests for line in path.read_text().splitlines()]
    assert sum(line.get("no_image", 0) + line.get("broken_image", 0) for line in lines) == 4


def test_the_plan_says_what_will_be_decoded(pool, tmp_path):
    assert explain(Colourful(), pool, tmp_path / "scores").image_rows == 6
    assert explain(Colourful(), pool, tmp_path / "scores").spec.images
    run_filter(Colourful(), pool, tmp_path / "scores")
    assert explain(Colourful(minimum=5), pool, tmp_path / "scores").image_rows == 0


def test_image_steps_run_in_processes_alike(pool, tmp_path):
    one = run_filter(Colourful(), pool, tmp_path / "one")
    two = run_filter(Colourful(), pool, tmp_path / "two", LocalExecutor(2))
    assert kept(one) == kept(two)
    assert [step.broken_image for step in two.steps] == [1, 1, 0]


def test_a_step_that_fails_does_not_lose_what_the_others_computed(pool, tmp_path, monkeypatch):
    toys = filter_class("toy_colourful").steps.__globals__
    monkeypatch.setattr(toys["Length"], "open", lambda self, device: 1 / 0)
    with pytest.raises(PartsFailed, match=r"2 of 6 parts failed.*ZeroDivisionError"):
        run_filter(Colourful(), pool, tmp_path / "scores")
    monkeypatch.undo()
    result = run_filter(Colourful(), pool, tmp_path / "scores")
    assert [(step.done, step.reused) for step in result.steps] == [(0, 2), (0, 2), (2, 0)]


def test_pictures_are_asked_of_a_pool_that_has_them(make_pool, tmp_path):
    with pytest.raises(FilterError, match=r"looks at pictures, and pool .* has no shards"):
        run_filter(Colourful(), make_pool({"text": ["a"]}), tmp_path / "scores")


def test_a_fit_is_computed_once_and_stored_by_its_key(make_pool, tmp_path):
    pool, log = make_pool({"text": ["a", "bb", "ccc", "dddd"]}), tmp_path / "log"
    plan = explain(PrimeLength(log=str(log)), pool, tmp_path / "scores")
    assert [fit.stored for fit in plan.fits] == [False]
    for _ in range(2):
        result = run_filter(PrimeLength(log=str(log)), pool, tmp_path / "scores")
        assert kept(result) == [1, 2]
    assert log.read_text() == "cpu\n"
    assert kept(run_filter(PrimeLength(below=3), pool, tmp_path / "scores")) == [1]
    locked = [key["key"] for key in result.lock["keys"] if "fit" in key]
    assert locked == [plan.fits[0].key]


def test_a_damaged_fit_is_computed_again(make_pool, tmp_path):
    pool = make_pool({"text": ["a", "bb", "ccc", "dddd"]})
    run_filter(PrimeLength(), pool, tmp_path / "scores")
    (file,) = (tmp_path / "scores" / "fits").rglob("*.npz")
    file.write_bytes(file.read_bytes()[:-30])
    assert kept(run_filter(PrimeLength(), pool, tmp_path / "scores")) == [1, 2]


def test_a_step_for_gpus_asks_for_them_before_anything_runs(make_pool, tmp_path, monkeypatch):
    pool, chosen = make_pool({"text": ["a"]}, {"text": ["b"]}), filter_class("toy_gpu")()
    with pytest.raises(FilterError, match=r"on a GPU only.*--gpus-per-worker 1"):
        run_filter(chosen, pool, tmp_path / "scores")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UsageError, match=r"2 workers with 1 GPUs each.*room is for 1"):
        run_filter(chosen, pool, tmp_path / "scores", LocalExecutor(2, gpus_per_worker=1))


def test_every_worker_sees_its_own_gpus(make_pool, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    pool = make_pool(*({"text": [str(n)]} for n in range(6)))
    run_filter(filter_class("toy_gpu")(), pool, tmp_path, LocalExecutor(2, gpus_per_worker=2))
    seen = {pq.read_table(file)["where"][0].as_py() for file in tmp_path.rglob("*.parquet")
            if "on_gpu" in str(file)}  # fmt: skip
    assert seen <= {"cuda 4,5", "cuda 6,7"}
    assert seen


@pytest.mark.parametrize(
    ("gpus", "workers", "each", "shares"),
    [
        ("", 3, 0, (None, None, None)),
        ("01", 2, 1, ("0", "1")),
        ("0123", 2, 2, ("0,1", "2,3")),
        ("01", 4, 0.5, ("0", "0", "1", "1")),
        ("0", 3, 0.3, ("0", "0", "0")),
    ],
)
def test_shares_of_gpus(gpus, workers, each, shares):
    assert gpu_shares(tuple(gpus), workers, each) == shares


@pytest.mark.parametrize("each", [1.5, 3])
def test_impossible_shares_are_refused(each):
    with pytest.raises(UsageError):
        gpu_shares(("0", "1"), 1, each)


def test_numbers_of_an_executor_are_checked():
    with pytest.raises(UsageError, match="workers is 1 or more"):
        LocalExecutor(0)
    with pytest.raises(UsageError, match="0 or more"):
        LocalExecutor(1, -1)


def test_reading_a_picture_twice_gives_the_same_score(pool, tmp_path):
    run_filter(Colourful(), pool, tmp_path / "one")
    run_filter(Colourful(), pool, tmp_path / "two")
    for file in (tmp_path / "one" / "redness").rglob("*.parquet"):
        other = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert np.array_equal(file.read_bytes(), other.read_bytes())
