"""TensorBoard: an event file for each start, in the run's folder under `tensorboard/`."""

import json
from collections.abc import Mapping

from datacomp.errors import require
from datacomp.training.sinks.base import RunFacts, Sink


class TensorBoardSink:
    """A scalar for each value of a line, by step; the configuration as a text."""

    def __init__(self) -> None:
        require("tensorboard", "sinks")
        self._module = require("torch.utils.tensorboard", "train")

    def start(self, facts: RunFacts) -> None:
        """Open another event file beside those that are there: TensorBoard reads them as one."""
        self._writer = self._module.SummaryWriter(str(facts.folder / "tensorboard"))
        text = json.dumps(facts.config, indent=2)
        self._writer.add_text("configuration", f"```\n{text}\n```")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write and flush."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        """Close the file."""
        self._writer.close()


def open_sink() -> Sink:
    """The sink; `MissingExtraError` without the package."""
    return TensorBoardSink()
