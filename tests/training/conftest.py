"""Builders for tests of training: a small pool of real pictures, and a recipe of a few steps."""

from dataclasses import replace
from pathlib import Path

import pytest

from datacomp.pool import Pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training import Recipe, load_scale


@pytest.fixture(scope="session")
def pool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny pool of 300 rows without scores, 3 of them dead links; do not write to it."""
    folder = tmp_path_factory.mktemp("pools") / "tiny"
    build_tiny(folder, TinyConfig(rows=300, seed=3))
    return folder


@pytest.fixture
def pool(pool_folder: Path) -> Pool:
    return open_pool(str(pool_folder))


@pytest.fixture
def recipe() -> Recipe:
    """Eight steps of 32 pairs with the smoke scale's model."""
    return replace(load_scale("smoke"), samples_seen=256, global_batch_size=32, warmup_steps=2)
