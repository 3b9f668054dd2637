"""What a machine says that it can do, and what `datacomp worker` refuses before it asks."""

import shutil

import pytest
from typer.testing import CliRunner

from datacomp.cli import worker
from datacomp.errors import PoolError, UnknownNameError, UsageError
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.worker import machine
from datacomp.worker.machine import (
    default_classes,
    demand_classes,
    open_pools,
    with_own_data,
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pools") / "tiny"
    build_tiny(folder, TinyConfig(rows=20, seed=3))
    return folder


@pytest.mark.parametrize(
    ("gpus", "eval_data", "scales"),
    [
        (0, None, ("smoke", "tiny")),
        (0, "/sets", ("smoke", "tiny")),
        (1, None, ("smoke", "tiny")),
        (1, "/sets", ("smoke", "tiny", "small", "medium")),
        (8, "/sets", ("smoke", "tiny", "small", "medium", "large", "xlarge")),
    ],
)
def test_the_scales_that_a_machine_can_do(gpus, eval_data, scales, monkeypatch):
    monkeypatch.setattr(machine, "unable", lambda: "no bwrap")
    assert default_classes(gpus, eval_data) == scales
    monkeypatch.setattr(machine, "unable", lambda: None)
    assert default_classes(gpus, eval_data) == (*scales, "plugins")


def test_a_scale_is_refused_that_is_none_or_has_no_sets():
    with pytest.raises(UnknownNameError, match="no scale named 'smal'"):
        demand_classes(["smal"], None)
    with pytest.raises(UsageError, match="--eval-data"):
        demand_classes(["tiny", "small"], None)
    demand_classes(["tiny", "small"], "/sets")


def test_pools_go_by_their_ids(pool, tmp_path):
    (pool_id,) = open_pools([str(pool)])
    assert open_pools([str(pool)]) == {pool_id: str(pool)}

    other = shutil.copytree(pool, tmp_path / "copy")
    with pytest.raises(UsageError, match="are the same pool"):
        open_pools([str(pool), str(other)])
    with pytest.raises(PoolError):
        open_pools([str(tmp_path)])


def test_own_data_are_a_class_of_each_scale():
    assert with_own_data(("smoke", "tiny", "plugins"), ()) == (
        *("smoke", "tiny", "plugins"),
        *("smoke-byod", "tiny-byod"),
    )
    with pytest.raises(UsageError, match=r"such as 10\.1\.2\.0/24"):
        with_own_data(("tiny",), ["localhost"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--device cpu --classes small", "--eval-data"),
        ("--device cpu --byod-network 10.1.2.0/24", "goes with --byod"),
        ("--device tpu", "--device tpu cannot be used"),
        ("--device cuda", "0 GPUs were found"),
        ("--device cpu --executor slurm", "sbatch"),
        ("--device cpu --executor slurm --slurm qos", "KEY=VALUE"),
    ],
)
def test_the_command_refuses_what_cannot_work(words, reason, monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "count_gpus", lambda: 0)
    monkeypatch.setattr(machine, "unable", lambda: "no bwrap")  # it would remember this PATH
    monkeypatch.setenv("PATH", str(tmp_path))
    words = [*words.split(), "--token", "t", "--state", str(tmp_path)]
    result = CliRunner().invoke(worker.app, words)

    assert isinstance(result.exception, UsageError)
    assert reason in str(result.exception)
