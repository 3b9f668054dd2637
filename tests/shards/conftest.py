"""Small pools to reshard: the fixture `lab` builds them, and reads what came out."""

import hashlib
import io
import json
import lzma
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.pool import Pool, index_pool, open_pool
from datacomp.subset import Subset, parse_uids

GOLDEN = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class Row:
    """A sample to write; `number` decides uid, picture and caption."""

    number: int
    key: str | None = None
    extra: Mapping[str, bytes] | None = None
    picture: bytes | None = None
    suffix: str = "jpg"
    json: Mapping[str, Any] | None = None

    def members(self, place: int) -> list[tuple[str, bytes]]:
        """Its members by name, under a key that tells the place."""
        key = self.key or f"{place:09d}"
        text = json.dumps({"uid": Lab.uid(self.number), "key": key, **(self.json or {})})
        contents = {
            self.suffix: self.picture or Lab.jpeg(self.number),
            "json": text.encode(),
            "txt": f"caption {self.number}".encode(),
            **(self.extra or {}),
        }
        return [(f"{key}.{suffix}", data) for suffix, data in contents.items()]


@dataclass(frozen=True)
class Lab:
    """Makes pools in a folder of the test's own."""

    path: Path
    row = Row

    @staticmethod
    def uid(number: int) -> str:
        """A uid that looks random and is the same in every run."""
        return hashlib.sha256(f"row {number}".encode()).hexdigest()[:32]

    @staticmethod
    def jpeg(number: int, width: int = 24, height: int = 16) -> bytes:
        """A picture of noise that depends on the number."""
        pixels = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
        return buffer.getvalue()

    @staticmethod
    def subset(*numbers: int) -> Subset:
        """The subset of these rows, repeats kept."""
        return Subset.from_uids(parse_uids([Lab.uid(number) for number in numbers]))

    def pool(
        self,
        shards: Sequence[Sequence[Row | int]],
        *,
        metadata: Sequence[int] | None = None,
        faces: Mapping[int, Any] | None = None,
        form: int = tarfile.GNU_FORMAT,
        name: str = "pool",
    ) -> Pool:
        """An indexed pool of these samples, given as `Row` or as number.

        `metadata` are the numbers of its rows (default: those of the samples), `faces` their boxes.
        """
        folder = self.path / name
        (folder / "metadata").mkdir(parents=True)
        (folder / "shards").mkdir()
        rows = [[row if isinstance(row, Row) else Row(row) for row in shard] for shard in shards]
        for number, shard in enumerate(rows):
            places = enumerate(shard, number * 10_000)
            members = [member for place, row in places for member in row.members(place)]
            self.write_tar(folder / "shards" / f"{number:08d}.tar", members, form)
        numbers = metadata if metadata is not None else [r.number for shard in rows for r in shard]
        columns: dict[str, Any] = {"uid": [self.uid(number) for number in numbers]}
        if faces is not None:
            boxes = [faces.get(number, []) for number in numbers]
            columns["face_bboxes"] = pa.array(boxes, pa.list_(pa.list_(pa.float64())))
        pq.write_table(pa.table(columns), folder / "metadata" / "part.parquet")
        return self.index(folder)

    @staticmethod
    def index(folder: Path) -> Pool:
        """The pool, indexed (again)."""
        index_pool(str(folder))
        return open_pool(str(folder))

    @staticmethod
    def write_tar(path: Path, members: Sequence[tuple[str, bytes]], form: int) -> None:
        """Write members with an owner and a time, as webdataset writes them."""
        with tarfile.open(path, "w", format=form, errors="surrogateescape") as tar:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size, info.mtime, info.mode = len(data), 1_700_000_000, 0o444
                info.uname = info.gname = "bigdata"
                tar.addfile(info, io.BytesIO(data))

    @staticmethod
    def members(path: Path) -> list[tuple[str, bytes]]:
        """The members of a tar, or of all tars in a folder, as `tarfile` reads them."""
        found = []
        for file in sorted(path.glob("*.tar")) if path.is_dir() else [path]:
            with tarfile.open(file) as tar:
                found += [(info.name, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]
        return found

    def keys(self, path: Path) -> list[str]:
        """The keys of the samples in a tar or a folder, in order."""
        return list(dict.fromkeys(name.split(".")[0] for name, _ in self.members(path)))

    @staticmethod
    def tree(folder: Path) -> dict[str, bytes]:
        """Every file in a folder, hidden ones too."""
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Pools, subsets, and a look at what was written."""
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of golden data."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden_pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """The pool that the original resharder was run on, without its features."""
    folder = tmp_path_factory.mktemp("golden") / "pool"
    (folder / "metadata").mkdir(parents=True)
    shutil.copytree(GOLDEN / "shards", folder / "shards")
    for path in (GOLDEN / "pool").glob("*.parquet"):
        shutil.copy(path, folder / "metadata")
    for path in (GOLDEN / "reshard").glob("*.tar.xz"):
        (folder / "shards" / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
    for number in range(6):
        stats = folder / "shards" / f"{number:08d}_stats.json"
        stats.write_text(json.dumps({"successes": 98}))
    index_pool(str(folder))
    return open_pool(str(folder))
