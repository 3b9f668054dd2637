"""One process of an evaluation, for tests to start and kill: data, suite, output folder, event.

It kills itself by signal 9 at the event of that number: each batch given to the encoder is one,
and each rename of a file to its name. With 0 it lives.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datacomp.evaluation import claims, features, runner
from datacomp.reports import RunProvenance, SubsetRef, Suite

SUITE_NAME = "suite.json"


class Deadly:
    """An encoder of pictures by their first pixel, and what counts the events."""

    name = identity = "deadly"

    def __init__(self, last: int) -> None:
        self.last, self.n_events, self.n_images = last, 0, 0

    def happens(self) -> None:
        self.n_events += 1
        if self.n_events == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def encode_image(self, images: Sequence[Image.Image]) -> Any:
        self.happens()
        self.n_images += len(images)
        return np.stack([self._row(hash(image.getpixel((0, 0)))) for image in images])

    def encode_text(self, texts: Sequence[str]) -> Any:
        self.happens()
        return np.stack([self._row(len(text)) for text in texts])

    def _row(self, seed: int) -> Any:
        return np.random.default_rng(abs(seed)).standard_normal(16).astype(np.float32)


def main(data: Path, out: Path, last: int) -> int:
    """Evaluate; prints how many pictures were encoded."""
    features.CHUNK, features.IMAGE_BATCH, claims.POLL_SECONDS = 8, 4, 0.01
    encoder, rename = Deadly(last), os.replace

    def replace(*paths: Any) -> None:
        encoder.happens()
        rename(*paths)
        encoder.happens()

    os.replace = replace
    provenance = RunProvenance(
        scale="tiny",
        recipe_id="r",
        pool_id="p",
        pool_size=100,
        subset=SubsetRef(name="s", sha256="5" * 64, n=10, n_unique=10),
        checkpoint_sha256="c" * 64,
        seed=0,
        samples_seen=1000,
        platform={"python": "3"},
    )
    suite = Suite.model_validate_json((data / SUITE_NAME).read_bytes())
    report = runner.evaluate(encoder, suite, data, out, provenance)
    sys.stdout.write(f"{encoder.n_images}\n")
    return 0 if report.aggregates.complete else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
