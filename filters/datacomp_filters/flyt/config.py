"""What a FLYT run is. Nothing here needs torch."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from datacomp.errors import UsageError


@dataclass(frozen=True)
class FlytConfig:
    """What a run is; the defaults are those of FLYT's published code (arXiv 2503.08805).

    Batches are of all processes together; the downstream one is of each task. The last three
    fields change no result beyond rounding: `micro_batch` rows are in one graph, the log has a line
    every `log_steps`, and a checkpoint is written after `checkpoint_seconds`.
    """

    steps: int = 5000
    upstream_batch: int = 4096
    downstream_batch: int = 3072
    reference_rate: float = 5e-5
    scoring_rate: float = 1e-3
    warmup_steps: int = 100
    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-6
    weight_decay: float = 0.2
    micro_batch: int = 1024
    log_steps: int = 10
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        counts = ("steps", "upstream_batch", "downstream_batch", "micro_batch", "log_steps")
        for name in (*counts, "warmup_steps"):
            least = 1 if name in counts else 0
            if getattr(self, name) < least:
                raise UsageError(f"{name} is at least {least}, got {getattr(self, name)}")
        for name in ("reference_rate", "scoring_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is a positive number, got {getattr(self, name)}")

    def semantic(self) -> dict[str, Any]:
        """The fields that decide the result, as JSON."""
        systems = ("micro_batch", "log_steps", "checkpoint_seconds")
        return {name: value for name, value in asdict(self).items() if name not in systems}

    def rates_at(self, step: int) -> tuple[float, float]:
        """The learning rates of reference and scorer: one schedule, two peaks."""
        reference, scoring = (
            learning_rate_at(step, peak, self.warmup_steps, self.steps)
            for peak in (self.reference_rate, self.scoring_rate)
        )
        return reference, scoring


def learning_rate_at(step: int, peak: float, warmup_steps: int, steps: int) -> float:
    """Linear warm-up from `peak / warmup_steps`, then cosine towards zero; step counts from 0."""
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / (steps - warmup_steps)
    return 0.5 * peak * (1 + math.cos(math.pi * done))
