"""Where a run's log goes besides `metrics.jsonl`: TensorBoard, Weights & Biases, trackio.

    with open_sinks(["tensorboard"]) as sinks:
        train(..., sinks=sinks)
    sinks.failures    # what could not be sent

A sink is a copy for looking at; `metrics.jsonl` is the run's own log, and no sink can stop a run.
"""

import importlib
from collections.abc import Iterable
from enum import StrEnum

from datacomp.training.sinks.base import Failure, RunFacts, Sink, Sinks

__all__ = ["Failure", "RunFacts", "Sink", "SinkName", "Sinks", "open_sinks"]


class SinkName(StrEnum):
    """The sinks there are; the module of the same name holds the class `Sink`."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    TRACKIO = "trackio"


def open_sinks(names: Iterable[SinkName]) -> Sinks:
    """The sinks of these names; `MissingExtraError` if the package of one is not installed."""
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return Sinks({str(name): module.open_sink() for name, module in modules.items()})
