"""Runs on tars in sequence, by the library and by the commands."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp.errors import DatacompError, TrainingError, UsageError
from datacomp.evaluation.run import provenance_of
from datacomp.pool import Pool
from datacomp.training import (
    Recipe,
    RunRecord,
    Systems,
    load_scale,
    read_run,
    train,
    train_on,
    whole_pool,
)
from datacomp.training.sources import (
    WeightedSource,
    origin_of_sources,
)
from datacomp.training.stream import SequentialData

pytestmark = pytest.mark.usefixtures("cache")


def run(recipe: Recipe, data: SequentialData, folder: Path, **options: Any) -> RunRecord:
    origin, dead_links = origin_of_sources(data.sources)
    return train_on(recipe, replace(data, dead_links=dead_links), origin, folder, **options)


def test_a_run_that_is_stopped_ends_with_the_same_bytes(
    tar_lab: Any, made: Path, sequential: Recipe, tmp_path: Path, stop_after: Any
) -> None:
    data, short = tar_lab.data(made), replace(sequential, samples_seen=128)
    reference = run(short, data, tmp_path / "whole", systems=Systems(decode_threads=3))
    often = Systems(checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        run(short, data, tmp_path / "stopped", systems=often, progress=stop_after(64))
    record = run(short, tar_lab.data(made), tmp_path / "stopped")
    assert record.checkpoint_sha256 == reference.checkpoint_sha256
    assert (record.resumes, record.dead_links) == (1, 3)
    assert record.sources == reference.sources
    heavier = tuple(WeightedSource(each.source, 2) for each in data.sources)
    with pytest.raises(TrainingError, match="its list of sources is"):
        run(short, SequentialData(heavier), tmp_path / "stopped")


def test_orders_are_not_mixed_up(
    tar_lab: Any, made: Path, pool: Pool, sequential: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="a pool is read by uid"):
        train(sequential, pool, whole_pool(pool), tmp_path / "run", subset_name="all")
    with pytest.raises(TrainingError, match="the data give 'sequential-lanes/1'"):
        run(load_scale("smoke"), tar_lab.data(made), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def call(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_commands_train_and_verify(
    tar_lab: Any, made: Path, shards: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    loose = tar_lab.plain(tmp_path / "loose", tar_lab.loose(9))
    sources = ("--data-dir", f"{made}=2", "--data-dir", loose)
    result = call("train", "--scale", "smoke", *sources, "--output-dir", folder, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "smoke, variant sequential" in result.output
    assert f"source   {made}, 297 samples, weight 2" in result.output
    record = read_run(folder)
    assert {(s.name, s.n, s.weight) for s in record.sources} == {
        ("shards", 297, 2),
        ("loose", 9, 1),
    }
    assert provenance_of(record).pool_size == 306

    assert call("verify", folder).output.count("pass --data-dir") == 4
    result = call("verify", folder, *sources)
    assert result.exit_code == 0, result.output
    assert "2, the bytes of 9 of 9 tars hashed again" in result.output
    assert (
        "weight 1, the run says 2"
        in call("verify", folder, "--data-dir", made, *sources[2:]).output
    )
    with (shards / "00000004.tar").open("r+b") as file:
        file.seek(2000)
        file.write(b"x")
    result = call("verify", folder, "--data-dir", f"{shards}=2", *sources[2:])
    assert result.exit_code == 1
    assert "00000004.tar has sha256" in result.output


def test_tars_beside_a_pool_are_refused() -> None:
    for command in ("train", "verify"):
        result = call(command, "--data-dir", "a", "--pool", "b")
        assert isinstance(result.exception, UsageError)


def test_a_wrong_source_is_an_error_of_ours(tmp_path: Path) -> None:
    result = call("train", "--scale", "smoke", "--data-dir", tmp_path / "nowhere")
    assert isinstance(result.exception, DatacompError)
