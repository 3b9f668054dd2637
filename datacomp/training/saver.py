"""Saving while training goes on.

The state is copied at the end of a step, on the CPU too since the optimizer works in place, and a
thread writes the copy. One is written at a time: the next save waits for the one before. Of long
runs the weights at fifths of the steps are kept as milestones. A milestone is written before the
state that follows from it, which holds its hash: whoever goes on from that state has it, and
whoever was killed before makes it again.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import TrainingError
from datacomp.files import locked, remove_torn
from datacomp.training.checkpoint import (
    RESUME,
    WEIGHTS,
    copy_state,
    save_weights,
    write_resume,
    write_tensors,
)
from datacomp.training.milestones import (
    MILESTONES,
    keeps_milestones,
    milestone_path,
    milestone_steps,
)
from datacomp.training.recipe import Recipe

if TYPE_CHECKING:
    import torch


class Saver:
    """Writes the states of one run; `milestones` are the hashes of those that it has, by step.

    `wanted` is whether more are kept, None for: if the run is a long one. Use as a context manager:
    at its end the last state is written whole, whatever ended it.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: "torch.nn.Module",
        optimizer: "torch.optim.Optimizer",
        milestones: dict[int, str],
        wanted: bool | None,
    ) -> None:
        self._folder, self._model, self._optimizer = folder, model, optimizer
        self._recipe_id, self.milestones = recipe.recipe_id, milestones
        kept = keeps_milestones(recipe, wanted)
        self._kept = milestone_steps(recipe) if kept else ()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="save")
        self._written: Future[None] | None = None

    def is_milestone(self, step: int) -> bool:
        """Whether the weights after `step` steps are to be kept."""
        return step in self._kept

    def save(self, step: int, **state: Any) -> None:
        """Copy the state after `step` steps and have it written, with `state` (JSON)."""
        self.wait()
        copies = copy_state(self._model, self._optimizer)
        self._written = self._thread.submit(self._write, step, copies, state)

    def check(self) -> None:
        """Raise what went wrong while writing, without waiting."""
        if self._written and self._written.done():
            self.wait()

    def wait(self) -> None:
        """Until all is written; raises what went wrong."""
        if self._written:
            written, self._written = self._written, None
            written.result()

    def finish(self) -> None:
        """Write the result, after all that is on its way."""
        self.wait()
        save_weights(self._folder / WEIGHTS, self._model, {"recipe_id": self._recipe_id})

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def _write(self, step: int, copies: tuple[dict[str, Any], dict[str, Any]], state: Any) -> None:
        model, moments = copies
        if self.is_milestone(step):
            facts = {"recipe_id": self._recipe_id, "step": step}
            path = milestone_path(self._folder, step)
            self.milestones[step] = write_tensors(path, model, facts)
        state = {**state, "step": step, "milestones": self.milestones}
        write_resume(self._folder / RESUME, model, moments, state)


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold a run's folder, and clear what a killed owner left half written.

    Raises `TrainingError` if another process holds it.
    """
    busy = TrainingError(
        f"{folder} is being trained by another process. Wait for it, or choose another "
        "--output-dir."
    )
    with locked(folder, busy):
        remove_torn(folder)
        remove_torn(folder / MILESTONES)
        yield
