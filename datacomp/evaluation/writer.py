"""Write an evaluation set in the layout that `dataset` reads; same content, same bytes."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SAMPLES_PER_TAR = 1000


@dataclass(frozen=True)
class EvaluationSet:
    """Folder name, text files by name, and samples: members by suffix, in order."""

    folder: str
    files: Mapping[str, str]
    samples: tuple[Mapping[str, bytes], ...]


def write_set(root: Path, data: EvaluationSet) -> Path:
    """Write the set below `root`; the caller sees to it that nobody reads it half written."""
    folder = root / data.folder
    (folder / "test").mkdir(parents=True)
    for name, text in data.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    starts = range(0, len(data.samples), SAMPLES_PER_TAR)
    for shard, start in enumerate(starts):
        with tarfile.open(
            folder / "test" / f"{shard}.tar", "w", format=tarfile.USTAR_FORMAT
        ) as tar:
            for i in range(start, min(start + SAMPLES_PER_TAR, len(data.samples))):
                for suffix, content in data.samples[i].items():
                    info = tarfile.TarInfo(f"{sample_key(i)}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    (folder / "test" / "nshards.txt").write_text(f"{len(starts)}\n")
    return folder


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
