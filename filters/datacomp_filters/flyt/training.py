"""FLYT's training: steps, a log, and a checkpoint from which a stopped run goes on.

A batch is a function of the number of the step, so nothing random is left to restore, and a run
that is stopped at any moment and started again ends with the same bytes as one that was not (with
the same machine, number of processes and micro-batch).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from datacomp.errors import TrainingError, UsageError
from datacomp.training.devices import one_thread
from datacomp.training.distributed import Ranks, launched_ranks
from datacomp_filters.flyt.checkpoint import load_state
from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.flyt.downstream import Labelled
from datacomp_filters.flyt.heads import Scorer
from datacomp_filters.flyt.journal import CHECKPOINT, Journal, Silence, diagnose
from datacomp_filters.flyt.optimizer import AdamW, Learner
from datacomp_filters.flyt.references import Reference
from datacomp_filters.flyt.step import LookAhead, Pairs, State, Stepper


class Upstream(Protocol):
    """The pool to be judged, as endless batches."""

    def pairs(self, step: int, first: int, last: int) -> Pairs:
        """Rows `first` to `last` (exclusive) of the batch of this step; the same at every call."""


class Downstream(Protocol):
    """A labelled task, as endless batches."""

    @property
    def n_classes(self) -> int:
        """How many classes there are."""

    def images(self, step: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Images and labels (int64) `first` to `last` (exclusive) of the batch of this step."""

    def classes(self, step: int, first: int, last: int) -> Tensor:
        """One text for each of the classes `first` to `last` (exclusive), drawn for this step."""


def train_flyt(
    config: FlytConfig,
    upstream: Upstream,
    downstream: Sequence[Downstream],
    reference: Reference,
    scorer: Scorer,
    folder: Path,
    tell: Callable[[str], None],
    device: str = "cpu",
) -> dict[str, Tensor]:
    """Train `scorer` and return its parameters, on the CPU; from the folder's checkpoint if any.

    The folder holds `log.jsonl` and `checkpoint.safetensors`, whose last state stays, so that a
    finished run is read and not repeated. Under torchrun every process calls this with the same
    arguments and gets the same parameters; the first one alone reads and writes the folder.
    `device` is "cpu" or "cuda". Raises `UsageError` without a downstream task, `TrainingError` if
    the folder holds another run, or a step is not finite.
    """
    if not downstream:
        raise UsageError(
            "FLYT needs at least one downstream task: scores are judged by nothing else"
        )
    with launched_ranks(device) as ranks, one_thread(device):
        optimizer = AdamW(config.beta1, config.beta2, config.epsilon, config.weight_decay)
        stepper = Stepper(reference, scorer, optimizer, config.micro_batch, ranks)
        record = {
            "config": config.semantic(),
            "reference": stepper.reference_layout.shapes,
            "scorer": stepper.scorer_layout.shapes,
        }
        run = _Run(config, stepper, record, folder, ranks, device)
        state, done = run.begin()
        if done < config.steps:
            state = run.go_on(state, done, upstream, downstream, tell)
        parameters = stepper.scorer_layout.split(state.scorer.values)
        return {name: value.cpu().clone() for name, value in parameters.items()}


@dataclass(frozen=True)
class _Run:
    config: FlytConfig
    stepper: Stepper
    record: dict[str, Any]
    folder: Path
    ranks: Ranks
    device: str

    def begin(self) -> tuple[State, int]:
        """The state to go on from, the first process's for all, and how many steps made it."""
        state, done = self.stepper.start(self.device), 0
        path = self.folder / CHECKPOINT
        if self.ranks.rank == 0 and path.exists():
            state, done = load_state(path, self.record, self.device)
        done = int(self.ranks.copy_first(torch.tensor(done, device=self.device)))
        return State(*(self._of_first(learner, done) for learner in state.learners())), done

    def _of_first(self, learner: Learner, done: int) -> Learner:
        copied = (learner.values, learner.mean, learner.square)
        values, mean, square = (self.ranks.copy_first(tensor) for tensor in copied)
        return Learner(values, mean, square, done)

    def go_on(
        self,
        state: State,
        done: int,
        upstream: Upstream,
        downstream: Sequence[Downstream],
        tell: Callable[[str], None],
    ) -> State:
        """Step until the end."""
        config = self.config
        journal: Silence = Silence()
        if self.ranks.rank == 0:
            journal = Journal(self.folder, self.record, config, done, tell)
        with journal:
            for step in range(done, config.steps):
                pairs = upstream.pairs(step, *self.ranks.share(config.upstream_batch))
                tasks = [self._labelled(task, step) for task in downstream]
                shown = (step + 1) % config.log_steps == 0 or step + 1 == config.steps
                before = self.stepper.downstream_loss(state, tasks) if shown else None
                stepped, found = self.stepper.step(state, pairs, tasks, *config.rates_at(step))
                self._demand_finite(found, step)
                state = stepped
                numbers = None if before is None else diagnose(found, before, state)
                journal.keep(step, state, numbers)
        return state

    def _labelled(self, task: Downstream, step: int) -> Labelled:
        images, labels = task.images(step, *self.ranks.share(self.config.downstream_batch))
        return Labelled(images, labels, task.classes(step, *self.ranks.share(task.n_classes)))

    def _demand_finite(self, found: LookAhead, step: int) -> None:
        """The state before stays the last that is kept."""
        losses = (found.upstream_loss, found.downstream_loss)
        if not torch.isfinite(sum(losses) + found.scorer_gradient.sum()):
            upstream, downstream = (loss.item() for loss in losses)
            raise TrainingError(
                f"step {step + 1} of {self.config.steps} is not finite: the weighted loss is "
                f"{upstream}, the downstream loss {downstream}, the norm of the scorer's gradient "
                f"{found.scorer_gradient.norm().item()}; nothing was updated. The last state that "
                f"was saved, if any, is in {self.folder / CHECKPOINT}."
            )
