"""What a sink is, and several as one: what fails is counted, what was sent is not sent again."""

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from datacomp.errors import TrainingError
from datacomp.files import write_json
from datacomp.training.recipe import Recipe
from datacomp.training.run import RunRecord

STATE = "sinks.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFacts:
    """What a sink is told of a run before its first line.

    `run_id` is the same after a restart, and no other run has it; `config` is plain JSON.
    """

    folder: Path
    run_id: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """The first reason why a sink failed, and how many lines it did not take."""

    reason: str
    missed: int = 0


class Sink(Protocol):
    """A place for the lines of a log. Any method may raise anything: the caller goes on."""

    def start(self, facts: RunFacts) -> None:
        """Take up the run, or go on with it."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the line of a step; steps rise."""

    def finish(self) -> None:
        """Send what is left."""


class Sinks:
    """The sinks of one run; leaving the context finishes them.

    A line goes to each sink once: a restart, which logs again what came after its checkpoint, goes
    on where each sink stopped. What was sent is in the run's folder, in `sinks.json`.
    """

    def __init__(self, sinks: Mapping[str, Sink] | None = None) -> None:
        self._sinks = dict(sinks or {})
        self._started: dict[str, Sink] = {}
        self._sent: dict[str, int] = {}
        self.failures: dict[str, Failure] = {}

    def start(self, folder: Path, recipe: Recipe, record: RunRecord) -> None:
        """Start all sinks for the run in `folder`."""
        if not self._sinks:
            return
        self._path = folder / STATE
        self._run_id, self._sent = _read(self._path)
        self._write()
        facts = RunFacts(folder, self._run_id, _config(recipe, record))
        for name, sink in self._sinks.items():
            try:
                sink.start(facts)
            except Exception as error:  # Code of others, about networks and disks.
                self._failed(name, error)
            else:
                self._started[name] = sink

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Send the line of a step to each sink that has not had it; unknown values are left out."""
        known = {name: value for name, value in values.items() if value is not None}
        waiting = [name for name in self._sinks if self._sent.get(name, -1) < step]
        for name in waiting:
            if name not in self._started:
                self._missed(name)
                continue
            try:
                self._started[name].log(step, known)
            except Exception as error:
                self._failed(name, error)
                self._missed(name)
            else:
                self._sent[name] = step
        if waiting:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name, sink in self._started.items():
            try:
                sink.finish()
            except Exception as error:
                self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        """Warn at a sink's first failure, and remember why."""
        if name not in self.failures:
            reason = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
            self.failures[name] = Failure(reason)
            _log.warning("sink %s failed, the run goes on: %s", name, reason)

    def _missed(self, name: str) -> None:
        failure = self.failures[name]
        self.failures[name] = replace(failure, missed=failure.missed + 1)

    def _write(self) -> None:
        write_json(self._path, {"run_id": self._run_id, "sent": self._sent})


def _config(recipe: Recipe, record: RunRecord) -> dict[str, Any]:
    return {
        **asdict(recipe),
        "recipe_id": recipe.recipe_id,
        "pool_id": record.pool_id,
        "subset": asdict(record.subset),
        "seed": record.seed,
        "platform": record.platform,
    }


def _read(path: Path) -> tuple[str, dict[str, int]]:
    """The run's id for sinks and the last step that each has; a new id if there is none."""
    if not path.exists():
        return secrets.token_hex(8), {}
    try:
        state = json.loads(path.read_text())
        return str(state["run_id"]), {name: int(step) for name, step in state["sent"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{path} is not what a run writes: {error!r}. Remove it: then the sinks get all lines "
            "that follow as another run"
        ) from error
