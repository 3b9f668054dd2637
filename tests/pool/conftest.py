"""Small pools in DataComp's layout: `make_pool` builds one that has no problem."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.pool.schema import SCHEMA
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig

Features = npt.NDArray[np.floating]


@dataclass(frozen=True)
class PoolFolder:
    """A pool on disk, its files in order, and the means to damage them."""

    path: Path

    @property
    def parquet(self) -> list[Path]:
        return sorted((self.path / "metadata").glob("*.parquet"))

    @property
    def npz(self) -> list[Path]:
        return sorted((self.path / "metadata").glob("*.npz"))

    @property
    def tars(self) -> list[Path]:
        return sorted((self.path / "shards").glob("*.tar"))

    @property
    def stats(self) -> list[Path]:
        return sorted((self.path / "shards").glob("*_stats.json"))

    @staticmethod
    def uid(row: int) -> str:
        """A uid that looks random and is the same in every run."""
        return hashlib.sha256(f"row {row}".encode()).hexdigest()[:32]

    @staticmethod
    def jpeg(row: int) -> bytes:
        """A small picture whose colour tells the row."""
        buffer = io.BytesIO()
        Image.new("RGB", (16, 12), (row * 37 % 256, row * 91 % 256, 128)).save(buffer, "JPEG")
        return buffer.getvalue()

    @classmethod
    def sample(cls, row: int, key: str) -> dict[str, bytes]:
        """The three members of a sample."""
        return {
            f"{key}.jpg": cls.jpeg(row),
            f"{key}.json": json.dumps({"uid": cls.uid(row), "key": key}).encode(),
            f"{key}.txt": f"caption of row {row}".encode(),
        }

    def members(self, shard: int) -> dict[str, bytes]:
        """The members of a shard, as `tarfile` reads them."""
        with tarfile.open(self.tars[shard]) as tar:
            return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]

    def write_shard(self, shard: int, members: dict[str, bytes]) -> None:
        """Write a shard anew."""
        with tarfile.open(self.path / "shards" / f"{shard:08d}.tar", "w") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))

    def upload(self, url: str) -> str:
        """Copy the pool to an fsspec URL."""
        fs, root = fsspec.url_to_fs(url)
        for file in sorted(self.path.rglob("*")):
            if file.is_file():
                fs.pipe_file(f"{root}/{file.relative_to(self.path)}", file.read_bytes())
        return url

    def __str__(self) -> str:
        return str(self.path)


MakePool = Callable[..., PoolFolder]


@pytest.fixture
def make_pool(tmp_path: Path) -> MakePool:
    """`make_pool(name="pool", parts=2, rows=10, shards=4)`: 2 files of 10 rows, 4 shards of 5."""

    def build(name: str = "pool", parts: int = 2, rows: int = 10, shards: int = 4) -> PoolFolder:
        pool = PoolFolder(tmp_path / name)
        for folder in ("metadata", "shards"):
            (pool.path / folder).mkdir(parents=True)
        for part in range(parts):
            stem = hashlib.sha256(f"part {part}".encode()).hexdigest()[:32]
            table = _metadata(range(part * rows, (part + 1) * rows))
            pq.write_table(table, pool.path / "metadata" / f"{stem}.parquet")
            features = np.arange(rows * 4, dtype=np.float16).reshape(rows, 4) + part
            np.savez(pool.path / "metadata" / f"{stem}.npz", l14_img=features)
        for shard in range(shards):
            rows_of_shard = np.array_split(np.arange(parts * rows), shards)[shard].tolist()
            members: dict[str, bytes] = {}
            for place, row in enumerate(rows_of_shard):
                members |= pool.sample(row, f"{shard:05d}{place:04d}")
            pool.write_shard(shard, members)
            stats = pool.path / "shards" / f"{shard:08d}_stats.json"
            stats.write_text(json.dumps({"successes": len(rows_of_shard)}))
        return pool

    return build


def _metadata(rows: Sequence[int]) -> pa.Table:
    columns = {
        "uid": [PoolFolder.uid(row) for row in rows],
        "url": [f"https://example.org/{row}.jpg" for row in rows],
        "text": [f"caption of row {row}" for row in rows],
        "original_width": [640] * len(rows),
        "original_height": [480] * len(rows),
        "clip_b32_similarity_score": [0.1 + row / 1000 for row in rows],
        "clip_l14_similarity_score": [0.2 + row / 1000 for row in rows],
        "face_bboxes": [[] for _ in rows],
        "sha256": [hashlib.sha256(PoolFolder.jpeg(row)).hexdigest() for row in rows],
    }
    return pa.table(columns, schema=SCHEMA.remove_metadata())


class FakeEncoder:
    """Random projections of the small picture and of hashed words; the same in every run."""

    name = identity = "fake"

    def encode_image(self, images: Sequence[Image.Image]) -> Features:
        pixels = [np.asarray(image.resize((8, 8)), np.float32).ravel() for image in images]
        weights = np.random.default_rng(0).standard_normal((192, 32))
        return ((np.stack(pixels) / 255 - 0.5) @ weights).astype(np.float32)

    def encode_text(self, texts: Sequence[str]) -> Features:
        return np.stack([sum(map(self._word, text.split()), np.ones(32)) for text in texts]).astype(
            np.float32
        )

    @staticmethod
    def _word(word: str) -> Features:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
        return np.random.default_rng(seed).standard_normal(32)


@pytest.fixture(scope="session")
def fake_encoder() -> FakeEncoder:
    """An encoder without a model."""
    return FakeEncoder()


@pytest.fixture(scope="session")
def tiny_pool(tmp_path_factory: pytest.TempPathFactory, fake_encoder: FakeEncoder) -> Path:
    """A tiny pool of 400 rows, 20 of them dead, in 8 shards, scored by the fake encoder."""
    config = TinyConfig(rows=400, shard_rows=60, dead_share=0.05)
    path = tmp_path_factory.mktemp("tiny") / "pool"
    build_tiny(path, config, fake_encoder)
    return path
