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
    (arXiv 2204.02311, appendix B), None where the peak of the device is not known. Captions count
    with the tokens that were read of them.
    """

    def __init__(self, recipe: Recipe, device: str, world: int, start: int) -> None:
        self._recipe, self._world = recipe, world
        self._peak = peak_flops(device, recipe.precision)
        self._begin(start)

    def _begin(self, steps: int) -> None:
        self._steps, self._since = steps, time.monotonic()
        self._waited, self._tokens, self._captions = 0.0, 0, 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the wait for a batch."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    def read(self, tokens: int, captions: int) -> None:
        """Tell how many tokens the text tower read of how many captions."""
        self._tokens += tokens
        self._captions += captions

    def lap(self, steps: int) -> dict[str, float | None]:
        """Speed since the last lap, now that `steps` are done."""
        elapsed = time.monotonic() - self._since
        rate = (steps - self._steps) * self._recipe.global_batch_size / elapsed
        values = {
            "images_per_second": rate,
            "data_wait_share": self._waited / elapsed,
            "mfu": self._mfu(rate),
        }
        self._begin(steps)
        return values

    def _mfu(self, rate: float) -> float | None:
        if self._peak is None:
            return None
        tokens = self._tokens / self._captions if self._captions else None
        return training_flops(self._recipe, tokens) * rate / (self._peak * self._world)
