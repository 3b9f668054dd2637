"""Write an evaluation set in the layout that `dataset` reads; same content, same bytes."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SAMPLES_PER_TAR = 1000


@dataclass(frozen=True)
class EvaluationSet:
    """Folder name, text files by name, and samples: members by suffix, in order, read once."""

    folder: str
    files: Mapping[str, str]
    samples: Iterable[Mapping[str, bytes]]


def write_set(root: Path, data: EvaluationSet) -> Path:
    """Write the set below `root`; the caller sees to it that nobody reads it half written."""
    folder = root / data.folder
    (folder / "test").mkdir(parents=True)
    for name, text in data.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    shards = 0
    samples = enumerate(data.samples)
    while some := list(islice(samples, SAMPLES_PER_TAR)):
        _write_tar(folder / "test" / f"{shards}.tar", some)
        shards += 1
    (folder / "test" / "nshards.txt").write_text(f"{shards}\n")
    return folder


def _write_tar(path: Path, samples: Iterable[tuple[int, Mapping[str, bytes]]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i, sample in samples:
            for suffix, content in sample.items():
                info = tarfile.TarInfo(f"{sample_key(i)}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def sample_key(i: int) -> str:
    """Key of the i-th sample, DataComp's spelling."""
    return f"s{i:07d}"


def lines(items: Iterable[str]) -> str:
    """A text file's content, a line an item."""
    return "".join(f"{item}\n" for item in items)


def png(image: Image.Image) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def npy(values: Iterable[int]) -> bytes:
    """A metadata vector as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, np.array(list(values), np.int64))
    return buffer.getvalue()


def cls(label: Any) -> bytes:
    """A class as .cls."""
    return str(int(label)).encode()
