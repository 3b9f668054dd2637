"""What a run tells while it works: numbers from which one sees whether the scores mean anything."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch

from datacomp.training.metrics_log import MetricsLog
from datacomp_filters.flyt.checkpoint import save_state
from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.flyt.step import LookAhead, State

LOG, CHECKPOINT = "log.jsonl", "checkpoint.safetensors"


def diagnose(found: LookAhead, downstream_before: torch.Tensor, state: State) -> dict[str, float]:
    """The numbers of a step; `state` is the one after it.

    `v_norm` and `d_std` are of v and d without the factor of the learning rate. The effective
    sample size 1 / sum w^2 is the batch while all weights are equal, and 1 when one has everything.
    """
    log_weights = found.log_weights.double()
    # Where a weight is nothing at all so is w * d, and a number of the log is to be finite.
    d = found.weighted_d.double() * torch.exp(-log_weights.clamp_min(-700))
    numbers = {
        "upstream_loss": found.upstream_loss,
        "downstream_loss_before": downstream_before,
        "downstream_loss_after": found.downstream_loss,
        "v_norm": found.v.norm(),
        "d_std": d.std(correction=0),
        "score_std": found.scores.std(correction=0),
        "effective_sample_size": torch.exp(-torch.logsumexp(2 * log_weights, 0)),
        "downstream_scale": state.downstream_scale.values[0].exp(),
    }
    return {name: float(value) for name, value in numbers.items()}


class Silence:
    """What processes after the first write: nothing."""

    def keep(self, step: int, state: State, numbers: dict[str, float] | None) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""


class Journal(Silence):
    """The log, checkpoints and short lines of a run from step `done` on; the log is cut there."""

    def __init__(
        self,
        folder: Path,
        record: dict[str, Any],
        config: FlytConfig,
        done: int,
        tell: Callable[[str], None],
    ) -> None:
        self._folder, self._record, self._config, self._tell = folder, record, config, tell
        self._log = MetricsLog(folder / LOG, before_step=done)
        self._logged_step, self._logged = done, time.monotonic()
        self._saved = self._logged

    def keep(self, step: int, state: State, numbers: dict[str, float] | None) -> None:
        """A line if there are numbers, a checkpoint if one is due; `state` is after `step`."""
        now, done = time.monotonic(), step + 1
        if numbers is not None:
            self._write(step, numbers, now)
        if now - self._saved >= self._config.checkpoint_seconds or done == self._config.steps:
            save_state(self._folder / CHECKPOINT, state, done, self._record)
            self._saved = now

    def _write(self, step: int, numbers: dict[str, float], now: float) -> None:
        done = step + 1
        rate = (done - self._logged_step) * self._config.upstream_batch / (now - self._logged)
        reference, scoring = self._config.rates_at(step)
        self._log.write(
            step,
            **numbers,
            reference_rate=reference,
            scoring_rate=scoring,
            pairs_per_second=rate,
        )
        self._logged_step, self._logged = done, now
        self._tell(
            f"step {done:,} of {self._config.steps:,}, downstream loss "
            f"{numbers['downstream_loss_after']:.3f}, {rate:,.0f} pairs/s"
        )

    def __exit__(self, *_: object) -> None:
        self._log.__exit__()
