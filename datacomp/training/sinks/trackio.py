"""trackio: a dashboard on this machine. Its own environment variables hold: TRACKIO_DIR, ..."""

import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

from datacomp.errors import require
from datacomp.training.sinks.base import RunFacts, Sink


class TrackioSink:
    """One run of the project `datacomp`, named after the run's folder and its id."""

    def __init__(self) -> None:
        self._trackio = require("trackio", "trackio")

    def start(self, facts: RunFacts) -> None:
        """Start the run, or go on with the one of this name."""
        with redirect_stdout(sys.stderr):
            self._run = self._trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", "datacomp"),
                name=f"{facts.folder.name}-{facts.run_id}",
                resume="allow",
                config=dict(facts.config),
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Hand the line to trackio's own thread."""
        self._run.log(dict(values), step=step)

    def finish(self) -> None:
        """Wait until all is written."""
        with redirect_stdout(sys.stderr):
            self._trackio.finish()


def open_sink() -> Sink:
    """The sink; `MissingExtraError` without the package."""
    return TrackioSink()
