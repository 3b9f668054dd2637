"""Builders for tests of training: a small pool of real pictures, tars, a recipe of few steps."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datacomp.pool import Pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.shards import Layout, reshard
from datacomp.training import OnError, Recipe, load_scale, whole_pool
from datacomp.training.data import Batch
from datacomp.training.sources import open_sources, parse_source
from datacomp.training.stream import SequentialData


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


@pytest.fixture
def sequential() -> Recipe:
    """The same for tars in sequence, in ten steps: more than an epoch."""
    smoke = load_scale("smoke", "sequential")
    return replace(smoke, samples_seen=320, global_batch_size=32, warmup_steps=2)


class StopAfter:
    """Progress that interrupts, as ^C would, once `samples` were seen."""

    def __init__(self, samples: int) -> None:
        self.left = samples

    def advance(self, n: int = 1, note: str = "") -> None:
        self.left -= n
        if self.left <= 0:
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def stop_after() -> type[StopAfter]:
    """`stop_after(samples)`: progress that interrupts a run there."""
    return StopAfter


class TarLab:
    """Makes tars of other making than reshard's, and reads what is made of tars."""

    @staticmethod
    def loose(n: int) -> dict[str, dict[str, bytes]]:
        """Samples by key, their members by suffix; without json."""
        rows = {}
        for i in range(n):
            buffer = io.BytesIO()
            Image.new("RGB", (40, 30), (i, 9 * i % 256, 3)).save(buffer, "PNG")
            rows[f"{i:05d}"] = {"png": buffer.getvalue(), "txt": f"loose {i}".encode()}
        return rows

    @staticmethod
    def plain(folder: Path, rows: dict[str, dict[str, bytes]], name: str = "0.tar") -> Path:
        """Write them as a tar of the folder."""
        folder.mkdir(exist_ok=True)
        with tarfile.open(folder / name, "w") as tar:
            for key, members in rows.items():
                for suffix, data in members.items():
                    info = tarfile.TarInfo(f"{key}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return folder

    @staticmethod
    def with_uids(rows: dict[str, dict[str, bytes]]) -> dict[str, dict[str, bytes]]:
        """The same with uids that count from 0."""
        return {
            key: {**members, "json": json.dumps({"uid": f"{number:032x}"}).encode()}
            for number, (key, members) in enumerate(rows.items())
        }

    @staticmethod
    def data(*urls: Path | str, on_error: OnError = OnError.STOP) -> SequentialData:
        """Folders of tars, with or without weights, as data."""
        sources = open_sources([parse_source(str(url)) for url in urls])
        return SequentialData(sources, on_error=on_error)

    @staticmethod
    def digest(batches: Iterable[Batch]) -> list[str]:
        """A hash of each batch."""
        return [
            hashlib.sha256(each.pixels.tobytes() + "\n".join(each.captions).encode()).hexdigest()
            for each in batches
        ]

    @staticmethod
    def whole(parts: list[list[Batch]]) -> list[Batch]:
        """The batches of which processes have these parts."""
        return [
            Batch(np.concatenate([b.pixels for b in same]), sum((b.captions for b in same), ()))
            for same in zip(*parts, strict=True)
        ]


@pytest.fixture(scope="session")
def tar_lab() -> TarLab:
    return TarLab()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's indexes of tars are kept."""
    monkeypatch.setenv("DATACOMP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tars"


@pytest.fixture(scope="session")
def made(pool_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the pool as tars of 40, with their hashes; do not write to it."""
    folder = tmp_path_factory.mktemp("made") / "shards"
    pool = open_pool(str(pool_folder))
    reshard(pool, whole_pool(pool), folder, layout=Layout(samples_per_shard=40), sha256=True)
    return folder


@pytest.fixture
def shards(made: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(made, tmp_path / "shards"))
