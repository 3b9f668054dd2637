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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import DivergedError, TrainingError
from datacomp.files import locked, remove_torn
from datacomp.training.checkpoint import (
    RESUME,
    WEIGHTS,
    copy_state,
    load_resume,
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


@dataclass(frozen=True)
class Saved:
    """How far a run came: `log_head` is its log's chain, `milestones` are hashes, by step."""

    log_head: str
    step: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    milestones: dict[int, str] = field(default_factory=dict)


def load_saved(
    folder: Path,
    recipe: Recipe,
    run: str,
    model: "torch.nn.Module",
    optimizer: "torch.optim.Optimizer",
) -> Saved:
    """Restore the last state in `folder`, or say that there is none; `run` is its `log_origin`.

    `TrainingError` if it is not a state of this run.
    """
    path = folder / RESUME
    if not path.exists():
        return Saved(log_head=run)
    state = load_resume(path, model, optimizer)
    if state.get("run") != run or not 0 < state["step"] < recipe.steps:
        raise TrainingError(
            f"{path} is not a state of this run: it is of run {state.get('run')} after step "
            f"{state.get('step')}, expected run {run} of {recipe.steps:,} steps. Remove the folder "
            "and train again."
        )
    milestones = {int(step): sha256 for step, sha256 in state["milestones"].items()}
    return Saved(state["log_head"], state["step"], state["broken"], milestones)


class Saver:
    """Writes the states of one run; `milestones` are the hashes of those that it has, by step.

    `run` is the run's `log_origin`, by which `load_saved` knows them; `wanted` is whether more
    milestones are kept, None for: if the run is a long one. Use as a context manager: at its end
    the last state is written whole, whatever ended it.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: "torch.nn.Module",
        optimizer: "torch.optim.Optimizer",
        run: str,
        milestones: dict[int, str],
        wanted: bool | None,
    ) -> None:
        self._folder, self._model, self._optimizer = folder, model, optimizer
        self._recipe_id, self._run, self.milestones = recipe.recipe_id, run, milestones
        kept = keeps_milestones(recipe, wanted)
        self._kept = milestone_steps(recipe) if kept else ()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="save")
        self._written: Future[None] | None = None

    def is_milestone(self, step: int) -> bool:
        """Whether the weights after `step` steps are to be kept."""
        return step in self._kept

    def save(self, step: int, *, log_head: str, broken: dict[str, str]) -> None:
        """Copy the state after `step` steps and have it written, with what else `Saved` holds."""
        self.wait()
        copies = copy_state(self._model, self._optimizer)
        state = {"log_head": log_head, "broken": broken}
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
        _demand_finite(self._model.state_dict())
        kept = {milestone_path(self._folder, step) for step in self.milestones}
        # Of a start that was killed before the state that would have named them.
        for path in set((self._folder / MILESTONES).glob("*.safetensors")) - kept:
            path.unlink()
        save_weights(self._folder / WEIGHTS, self._model, {"recipe_id": self._recipe_id})

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def _write(self, step: int, copies: tuple[dict[str, Any], dict[str, Any]], state: Any) -> None:
        model, moments = copies
        _demand_finite(model)
        if self.is_milestone(step):
            facts = {"recipe_id": self._recipe_id, "step": step}
            path = milestone_path(self._folder, step)
            self.milestones[step] = write_tensors(path, model, facts)
        state = {**state, "run": self._run, "step": step, "milestones": self.milestones}
        write_resume(self._folder / RESUME, model, moments, state)


def _demand_finite(model: "dict[str, torch.Tensor]") -> None:
    """Refuse to write weights that an update made infinite or NaN over sound ones."""
    for name, tensor in model.items():
        if not bool(tensor.isfinite().all()):
            raise DivergedError(
                f"the weights {name!r} are not finite any more, and were not saved. The last sound "
                f"state is in {RESUME}, if one was saved."
            )


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
