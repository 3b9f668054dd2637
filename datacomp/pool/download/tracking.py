"""Progress in Weights & Biases, under the names that img2dataset uses there. Off by default."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from datacomp.errors import require


class Tracker:
    """One run there; nothing is imported or sent where `project` is None."""

    def __init__(self, project: str | None, config: Mapping[str, Any]) -> None:
        self._totals: Counter[str] = Counter()
        self._began = time.monotonic()
        self._run: Any = None
        if project is not None:
            wandb = require("wandb", "download")
            self._run = wandb.init(project=project, config=dict(config))

    def shard(self, stats: Mapping[str, Any]) -> None:
        """Log a finished shard and the totals of this start."""
        if self._run is None:
            return
        names = ("count", "successes", "failed_to_download", "failed_to_resize")
        self._totals.update({name: stats[name] for name in names})
        seconds = max(time.monotonic() - self._began, 1e-9)
        self._run.log(
            {
                **_rates("worker", stats, stats["duration"]),
                **_rates("total", self._totals, seconds),
            }
        )

    def close(self) -> None:
        """End the run there."""
        if self._run is not None:
            self._run.finish()


def _rates(prefix: str, counts: Mapping[str, Any], seconds: float) -> dict[str, float]:
    count = max(counts["count"], 1)
    return {
        f"{prefix}/img_per_sec": counts["count"] / max(seconds, 1e-9),
        f"{prefix}/success": counts["successes"] / count,
        f"{prefix}/failed_to_download": counts["failed_to_download"] / count,
        f"{prefix}/failed_to_resize": counts["failed_to_resize"] / count,
        f"{prefix}/count": counts["count"],
    }
