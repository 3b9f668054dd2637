"""What the stepped reference is judged by: zero-shot classification of labelled images.

Of each class one text stands for the class (the caller draws it), its feature is not averaged over
templates, and the logit scale is one of its own: with raw cosines there would hardly be a signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.losses import ZeroShot, zero_shot_loss
from datacomp_filters.flyt.optimizer import Layout
from datacomp_filters.flyt.passes import Pass
from datacomp_filters.flyt.references import Reference


@dataclass(frozen=True)
class Labelled:
    """This process's share of a task's labelled batch: some images, and one text for some classes.

    `labels` (int64) count the classes of all processes, in the order of ranks.
    """

    images: Tensor
    labels: Tensor
    classes: Tensor


@dataclass(frozen=True)
class Judged:
    """A loss averaged over tasks, and its gradient by the reference's vector and the log scale."""

    loss: Tensor
    gradient: Tensor
    log_scale: Tensor


@dataclass(frozen=True)
class Judge:
    """The downstream loss as a function of the reference's parameters, over all processes."""

    reference: Reference
    layout: Layout
    micro_batch: int
    ranks: Ranks

    def judge(self, values: Tensor, log_scale: Tensor, tasks: Sequence[Labelled]) -> Judged:
        """The mean of the tasks' losses at `values`, and its gradient; `log_scale` is (1,)."""
        gradient, by_log_scale = torch.zeros_like(values), torch.zeros_like(log_scale)
        loss = torch.zeros_like(log_scale)
        for task in tasks:
            images, classes, found, mine = self._task(values, log_scale, task)
            by_classes = self.ranks.sum(found.classes)[mine]
            images.pull(found.images / len(tasks), gradient)
            classes.pull(by_classes / len(tasks), gradient)
            loss += found.loss / len(tasks)
            by_log_scale += found.log_scale / len(tasks)
        total = self.ranks.sum(torch.cat([gradient, by_log_scale, loss]))
        gradient, by_log_scale, loss = total.split([len(values), 1, 1])
        return Judged(loss[0], gradient, by_log_scale)

    def loss(self, values: Tensor, log_scale: Tensor, tasks: Sequence[Labelled]) -> Tensor:
        """The mean of the tasks' losses at `values`."""
        with torch.no_grad():
            losses = [self._task(values, log_scale, task)[2].loss for task in tasks]
        return self.ranks.sum(torch.stack(losses).mean())

    def _task(
        self, values: Tensor, log_scale: Tensor, task: Labelled
    ) -> tuple[Pass, Pass, ZeroShot, slice]:
        """Both passes, this process's part of the loss, and where its classes lie among all."""
        images = Pass(self.reference.images, self.layout, values, task.images, self.micro_batch)
        classes = Pass(self.reference.texts, self.layout, values, task.classes, self.micro_batch)
        gathered, mine = self.ranks.gather(classes.outputs)
        labels = task.labels.to(values.device)
        n = int(self.ranks.sum(torch.tensor(len(labels), device=values.device)))
        found = zero_shot_loss(images.outputs, gathered, log_scale[0], labels, n, self.micro_batch)
        return images, classes, found, mine
