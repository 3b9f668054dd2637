"""`datacomp train` as a participant sees it; the loop has its own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from datacomp.pool import index_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig


def train(pool: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "datacomp", "train", "--scale", "smoke", "--pool", str(pool)]
    return subprocess.run([*command, *args], capture_output=True, text=True, cwd=pool.parent)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    build_tiny(tmp_path / "pool", TinyConfig(rows=120, shard_rows=30, dead_share=0.0))
    return tmp_path / "pool"


def test_the_whole_pool_trains_into_the_workspace(pool: Path) -> None:
    result = train(pool, "--seed", "3")
    assert result.returncode == 0, result.stderr
    folder = pool.parent / "runs" / "smoke-whole_pool-seed3"
    assert (folder / "weights.safetensors").exists()
    assert "whole_pool, 120 entries, each seen 8.5 times" in result.stdout
    assert f"next     datacomp evaluate {folder}" in result.stdout
    assert "problems" not in result.stdout
    assert "1,024/1,024 images" in result.stderr


def test_what_a_damaged_pool_lost_is_said(pool: Path) -> None:
    shard = pool / "shards" / "00000001.tar"
    with shard.open("r+b") as file:
        file.truncate(shard.stat().st_size // 2)
    assert index_pool(str(pool)).manifest.problem_counts["truncated_tar"] == 1
    result = train(pool)
    assert result.returncode == 0, result.stderr
    assert "1 truncated_tar" in result.stdout
    assert "entries of the subset are in no shard: left out" in result.stdout


def test_a_pool_that_changed_since_it_was_indexed_is_refused(pool: Path) -> None:
    (pool / "shards" / "00000002.tar").unlink()
    result = train(pool)
    assert result.returncode == 1
    assert "00000002" in result.stderr
    assert f"datacomp pool index {pool}" in result.stderr


def test_an_unknown_variant_lists_those_of_the_scale(pool: Path) -> None:
    result = train(pool, "--variant", "sequentail")
    assert result.returncode == 1
    assert "Did you mean 'sequential'? 1 are known: sequential" in result.stderr
    assert not (pool.parent / "runs").exists()


def test_a_device_that_is_not_there_is_refused(pool: Path) -> None:
    result = train(pool, "--device", "nonsense")
    assert result.returncode == 2
    assert "--device nonsense cannot be used here" in " ".join(result.stderr.split())
    assert not (pool.parent / "runs").exists()
