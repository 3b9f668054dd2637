"""Weights & Biases. Its own environment variables hold: WANDB_MODE=offline, WANDB_PROJECT, ..."""

import os
from collections.abc import Mapping

from datacomp.errors import require
from datacomp.training.sinks.base import RunFacts, Sink

# A network that is gone must not hold the end of a run for longer than a queue gives it.
FINISH_SECONDS = 60.0


class WandbSink:
    """One run of the project `datacomp`, named after the run's folder."""

    def __init__(self) -> None:
        self._wandb = require("wandb", "sinks")

    def start(self, facts: RunFacts) -> None:
        """Start the run, or go on with the one of this id."""
        settings = self._wandb.Settings(
            console="off", finish_timeout=FINISH_SECONDS, finish_timeout_raises=True
        )
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "datacomp"),
            name=facts.folder.name,
            id=facts.run_id,
            resume="allow",
            dir=str(facts.folder),
            config=dict(facts.config),
            settings=settings,
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Hand the line to wandb's own process."""
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        """Wait until all is sent, or written where it is offline."""
        self._run.finish()


def open_sink() -> Sink:
    """The sink; `MissingExtraError` without the package."""
    return WandbSink()
