"""The loop from outside: what ends in a run's folder, and that interruptions do not change it."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datacomp.errors import TrainingError
from datacomp.pool import Pool, open_pool
from datacomp.subset import Subset, parse_uids
from datacomp.training import (
    OnError,
    Recipe,
    RunRecord,
    Systems,
    load_encoder,
    load_scale,
    published_recipes,
    read_run,
    train,
    whole_pool,
)
from datacomp.training.loop import IMPLEMENTED, require_implemented
from datacomp.training.metrics_log import read_metrics


def run(recipe: Recipe, pool: Pool, folder: Path, subset: Subset | None = None) -> RunRecord:
    return train(recipe, pool, subset or whole_pool(pool), folder, subset_name="all", seed=4)


@pytest.fixture(scope="module")
def reference(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """An unbroken run of the fixtures' recipe."""
    recipe = replace(load_scale("smoke"), samples_seen=256, global_batch_size=32, warmup_steps=2)
    return run(recipe, open_pool(str(pool_folder)), tmp_path_factory.mktemp("reference"))


def test_same_seed_same_bytes(
    recipe: Recipe, pool: Pool, tmp_path: Path, reference: RunRecord
) -> None:
    record = run(recipe, pool, tmp_path)
    assert record.checkpoint_sha256 == reference.checkpoint_sha256
    weights = (tmp_path / "weights.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == record.checkpoint_sha256


def test_another_seed_gives_other_bytes(
    recipe: Recipe, pool: Pool, tmp_path: Path, reference: RunRecord
) -> None:
    other = train(recipe, pool, whole_pool(pool), tmp_path, subset_name="all", seed=5)
    assert other.checkpoint_sha256 != reference.checkpoint_sha256


def test_systems_do_not_change_the_result(
    recipe: Recipe, pool: Pool, tmp_path: Path, reference: RunRecord
) -> None:
    systems = Systems(decode_threads=3, checkpoint_seconds=0)
    subset = whole_pool(pool)
    record = train(recipe, pool, subset, tmp_path, subset_name="all", seed=4, systems=systems)
    assert record.checkpoint_sha256 == reference.checkpoint_sha256


@pytest.mark.parametrize("samples", [32, 96, 224])
def test_an_interrupted_run_ends_with_the_same_bytes(
    recipe: Recipe,
    pool: Pool,
    tmp_path: Path,
    reference: RunRecord,
    samples: int,
    stop_after: Any,
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(
            recipe,
            pool,
            whole_pool(pool),
            tmp_path,
            subset_name="all",
            seed=4,
            systems=Systems(checkpoint_seconds=0),
            progress=stop_after(samples),
        )
    assert not read_run(tmp_path).finished
    with pytest.raises(TrainingError, match="not finished"):
        load_encoder(tmp_path)
    record = run(recipe, pool, tmp_path)
    assert record.checkpoint_sha256 == reference.checkpoint_sha256
    assert record.resumes == 1
    assert [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [7]
    assert not (tmp_path / "resume.safetensors").exists()


def test_the_metrics_log_says_how_it_went(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    run(replace(recipe, samples_seen=32 * 15), pool, tmp_path)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [(line["step"], line["samples"]) for line in lines] == [(9, 320), (14, 480)]
    assert all(line["images_per_second"] > 0 for line in lines)
    assert all(0 <= line["data_wait_share"] <= 1 for line in lines)


def test_a_finished_run_is_not_trained_again(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    first = run(recipe, pool, tmp_path)
    written = (tmp_path / "weights.safetensors").stat().st_mtime_ns
    assert run(recipe, pool, tmp_path) == first
    assert (tmp_path / "weights.safetensors").stat().st_mtime_ns == written


def test_a_changed_checkpoint_is_not_believed(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    run(recipe, pool, tmp_path)
    with (tmp_path / "weights.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x01")
    with pytest.raises(TrainingError, match=r"not the checkpoint that run\.json names"):
        run(recipe, pool, tmp_path)


def test_a_folder_of_another_run_is_refused(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    run(recipe, pool, tmp_path)
    subset = Subset.from_uids(whole_pool(pool).uids[:100])
    with pytest.raises(TrainingError, match="another run: its subset sha256 is"):
        run(recipe, pool, tmp_path, subset)
    with pytest.raises(TrainingError, match="another run: its recipe_id is"):
        run(replace(recipe, learning_rate=1e-2), pool, tmp_path)


@pytest.mark.parametrize("field", IMPLEMENTED)
def test_a_recipe_that_asks_for_another_method_is_refused(
    recipe: Recipe, pool: Pool, tmp_path: Path, field: str
) -> None:
    with pytest.raises(TrainingError, match=f"asks for {field} 'other/2'"):
        run(replace(recipe, **{field: "other/2"}), pool, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("scale", "variant"), published_recipes().values())
def test_every_published_recipe_can_be_computed(scale: str, variant: str | None) -> None:
    require_implemented(load_scale(scale, variant))


def test_dead_links_are_counted(pool: Pool, recipe: Recipe, tmp_path: Path) -> None:
    record = run(recipe, pool, tmp_path)
    assert (record.dead_links, record.subset.n, record.pool_size) == (3, 300, 300)


def test_uids_of_another_pool_are_refused(pool: Pool, recipe: Recipe, tmp_path: Path) -> None:
    foreign = parse_uids(["0" * 31 + "7"])
    subset = Subset.from_uids(np.concatenate([whole_pool(pool).uids, foreign]))
    with pytest.raises(TrainingError, match=f"1 of the subset's 301 entries.*{'0' * 31}7"):
        run(recipe, pool, tmp_path, subset)


def test_a_repeated_uid_is_seen_as_often_as_it_is_listed(pool: Pool) -> None:
    from datacomp.training.data import open_data

    uids = whole_pool(pool).uids[:4]
    data = open_data(pool, Subset.from_uids(np.concatenate([uids, uids[:1], uids[:1]])))
    assert len(data.entries) == 6
    assert len(set(data.entries.tolist())) == 4


def damage(pool_folder: Path, tmp_path: Path) -> Pool:
    """A copy of the pool with one picture whose JPEG data is torn in the middle."""
    folder = tmp_path / "damaged"
    shutil.copytree(pool_folder, folder)
    pool = open_pool(str(folder))
    row = pool.samples().samples[10]
    offset, size = int(row["image_offset"]), int(row["image_size"])
    with (folder / "shards" / pool.samples().shards[int(row["shard"])]).open("r+b") as file:
        file.seek(offset)
        file.write(bytes(size))
    return pool


def test_a_broken_picture_stops_the_run(pool_folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    pool = damage(pool_folder, tmp_path)
    with pytest.raises(TrainingError, match=r"\.tar.*cannot be\s+decoded.*--on-error skip"):
        run(replace(recipe, samples_seen=320), pool, tmp_path / "run")


def test_a_broken_picture_can_be_replaced_and_is_counted(
    pool_folder: Path, recipe: Recipe, tmp_path: Path
) -> None:
    pool = damage(pool_folder, tmp_path)
    records = [
        train(
            replace(recipe, samples_seen=320),
            pool,
            whole_pool(pool),
            tmp_path / name,
            subset_name="all",
            on_error=OnError.SKIP,
        )
        for name in ("first", "again")
    ]
    assert [len(record.broken_samples) for record in records] == [1, 1]
    assert "cannot be decoded" in next(iter(records[0].broken_samples.values()))
    assert records[0].checkpoint_sha256 == records[1].checkpoint_sha256


def test_a_loss_that_is_not_finite_stops_before_the_update(
    recipe: Recipe, pool: Pool, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+ of 8"):
        run(replace(recipe, learning_rate=1e30, warmup_steps=1), pool, tmp_path)
    assert not read_run(tmp_path).finished


def test_encoding_does_not_depend_on_the_batch(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    run(recipe, pool, tmp_path)
    encoder = load_encoder(tmp_path)
    images = [Image.new("RGB", (40 + i, 50), (i * 20, 10, 200)) for i in range(9)]
    whole = encoder.encode_image(images)
    single = np.concatenate([encoder.encode_image([image]) for image in images])
    assert np.array_equal(whole, single)
    texts = [f"a picture of {i}" for i in range(9)]
    assert np.array_equal(encoder.encode_text(texts)[3:4], encoder.encode_text(texts[3:4]))
    assert whole.dtype == np.float32
    assert whole.shape == (9, 32)


def test_run_json_is_what_it_says(recipe: Recipe, pool: Pool, tmp_path: Path) -> None:
    record = run(recipe, pool, tmp_path)
    value = json.loads((tmp_path / "run.json").read_text())
    assert value["recipe_id"] == recipe.recipe_id
    assert value["pool_id"] == pool.require_manifest().pool_id
    assert value["subset"]["sha256"] == whole_pool(pool).sha256
    assert value["platform"]["torch"]
    assert read_run(tmp_path) == record
