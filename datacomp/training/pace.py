"""What the lines of a run's log say of speed, each since the line before."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from datacomp.training.flops import training_flops
from datacomp.training.peak import peak_flops
from datacomp.training.recipe import Recipe


class Pace:
    """Counts the time of a run from its step `start` on, and what of it was waiting for data.

    MFU is the share of the peak of all `world` devices that the model's own operations are
    (arXiv 2204.02311, appendix B), None where the peak of the device is not known.
    """

    def __init__(self, recipe: Recipe, device: str, world: int, start: int) -> None:
        self._batch = recipe.global_batch_size
        peak = peak_flops(device, recipe.precision)
        self._mfu = training_flops(recipe) / (peak * world) if peak else None
        self._steps, self._waited, self._since = start, 0.0, time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait for a batch."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    def lap(self, steps: int) -> dict[str, float | None]:
        """Speed since the last lap, now that `steps` are done."""
        now = time.monotonic()
        elapsed = now - self._since
        rate = (steps - self._steps) * self._batch / elapsed
        values = {
            "images_per_second": rate,
            "data_wait_share": self._waited / elapsed,
            "mfu": None if self._mfu is None else self._mfu * rate,
        }
        self._steps, self._waited, self._since = steps, 0.0, now
        return values
