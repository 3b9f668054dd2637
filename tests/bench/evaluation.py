"""The 40 golden sets from disk to metrics, against decoding and multiplying alone, in CPU time.

Ours is a process with all its imports, with an encoder that looks its answers up, without and with
features that are there already.
"""

import io
import json
import runpy
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from datacomp.evaluation.dataset import read_samples
from datacomp.evaluation.features import Features
from datacomp.evaluation.store import FeatureStore
from datacomp.evaluation.tasks import evaluate_task
from datacomp.reports import load_suite

TESTS = Path(__file__).parents[1] / "evaluation"
WIDTH = 64


@dataclass(frozen=True)
class CpuBench:
    """Something that we do and a limit; each answers with its CPU seconds."""

    name: str
    limit_name: str
    ours: Callable[[], float]
    limit: Callable[[], float]

    def ratios(self) -> list[float]:
        """The limit's CPU time over ours."""
        return [self.limit() / self.ours() for _ in range(5)]


class Lookup:
    """An encoder of one golden set: pictures by their first pixel, captions by their number."""

    def __init__(self, name: str, arrays: Any) -> None:
        self.name = self.identity = name
        self.images, self.texts = arrays["images"], arrays.get("text_features")

    def encode_image(self, images: Sequence[Image.Image]) -> Any:
        pixels = np.array([image.getpixel((0, 0)) for image in images])
        return self.images[pixels[:, 0] + 256 * pixels[:, 1]]

    def encode_text(self, texts: Sequence[str]) -> Any:
        return np.stack([self._text(text) for text in texts])

    def _text(self, text: str) -> Any:
        _, _, number = text.partition("caption ")
        if number.isdigit():
            return self.texts[int(number)]
        return np.random.default_rng(zlib.crc32(text.encode())).standard_normal(WIDTH)


def benches(folder: Path) -> Iterator[CpuBench]:
    """The sets are written first, from the tests' golden arrays."""
    data, features = folder / "data", folder / "features"
    write_sets(data)

    def evaluated(keep: bool) -> float:
        if not keep:
            shutil.rmtree(features, ignore_errors=True)
        command = [sys.executable, __file__, str(data), str(features)]
        return float(subprocess.run(command, check=True, capture_output=True).stdout)

    def limit() -> float:
        return decode_and_multiply(data)

    evaluated(keep=False)
    yield CpuBench("evaluate 40 sets", "decode, multiply", lambda: evaluated(False), limit)
    yield CpuBench("again, features kept", "decode, multiply", lambda: evaluated(True), limit)


def write_sets(data: Path) -> None:
    """All sets, each task's number of samples, and the arrays that the encoder looks up."""
    golden = runpy.run_path(str(TESTS / "test_golden.py"))
    fakes = SimpleNamespace(**runpy.run_path(str(TESTS / "conftest.py")))
    with np.load(golden["GOLDEN"] / "features.npz", allow_pickle=False) as file:
        arrays = dict(file)
    sizes = {}
    for spec in load_suite("datacomp38").tasks:
        spec, set_folder, part = golden["write_golden"](spec, arrays, fakes, data)
        sizes[spec.key] = spec.n
        np.savez(set_folder.with_suffix(".npz"), **part)
    (data / "sizes.json").write_text(json.dumps(sizes))


def decode_and_multiply(data: Path) -> float:
    """CPU seconds of every picture's decoding and its product with as many rows as classes."""
    pictures = [
        (spec, [sample.image for sample in read_samples(data / spec.dataset)])
        for spec in load_suite("datacomp38").tasks
    ]
    started = time.process_time()
    for spec, encoded in pictures:
        for picture in encoded:
            Image.open(io.BytesIO(picture)).convert("RGB")
        classifier = np.ones((WIDTH, spec.n_classes or 500), np.float32)
        (np.ones((len(encoded), WIDTH), np.float32) @ classifier).argmax(axis=1)
    return time.process_time() - started


def main(data: Path, features: Path) -> None:
    """Evaluate all sets; writes the CPU seconds since the process began."""
    sizes = json.loads((data / "sizes.json").read_text())
    for spec in load_suite("datacomp38").tasks:
        folder = data / spec.dataset
        with np.load(folder.with_suffix(".npz"), allow_pickle=False) as file:
            encoder = Lookup(spec.key, dict(file))
        spec = spec.model_copy(update={"n": sizes[spec.key]})
        evaluate_task(spec, folder, Features(encoder, FeatureStore(features, encoder.identity)))
    sys.stdout.write(f"{time.process_time()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
