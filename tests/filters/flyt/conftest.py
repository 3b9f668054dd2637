"""Small bilevel problems in float64, and the same mathematics written for autograd alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.downstream import Labelled
from datacomp_filters.flyt.heads import GluHead, LinearMixer, Scorer
from datacomp_filters.flyt.optimizer import AdamW, Learner
from datacomp_filters.flyt.references import LOGIT_SCALE, EmbeddingReference, Reference
from datacomp_filters.flyt.step import Pairs, State, Stepper

ADAMW = AdamW(beta1=0.9, beta2=0.98, epsilon=1e-6, weight_decay=0.2)
DOUBLE = torch.float64


def weighted_loss(u: Tensor, v: Tensor, log_scale: Tensor, w: Tensor) -> Tensor:
    """The weighted CLIP loss as the formula stands: exponentials, and the weight in all places."""
    logits = log_scale.exp() * u @ v.T
    forth, back = (w * torch.exp(s) for s in (logits, logits.T))
    both = (w * -torch.log(torch.diag(s) / s.sum(1)) for s in (forth, back))
    return sum(term.sum() for term in both) / 2


@dataclass(frozen=True)
class Problem:
    """A batch, some tasks, models, and a state that has seen some steps."""

    reference: Reference
    scorer: Scorer
    pairs: Pairs
    tasks: tuple[Labelled, ...]
    state: State
    rate: float = 0.03

    def stepper(self, micro_batch: int = 1000) -> Stepper:
        return Stepper(self.reference, self.scorer, ADAMW, micro_batch, Ranks())

    def look_ahead(self, **changes: Any) -> Any:
        problem = replace(self, **changes)
        return problem.stepper().look_ahead(
            problem.state, problem.pairs, problem.tasks, problem.rate
        )

    def objective(self, scorer: Tensor) -> Tensor:
        """The downstream loss after the step, as autograd sees it; `scorer` is the flat vector."""
        stepper = self.stepper()
        layout, learner = stepper.reference_layout, self.state.reference
        scores = self.scorer.scores(stepper.scorer_layout.split(scorer), self.pairs.inputs)
        values = learner.values.clone().requires_grad_()
        named = layout.split(values)
        loss = weighted_loss(
            self.reference.images(named, self.pairs.images),
            self.reference.texts(named, self.pairs.texts),
            named[LOGIT_SCALE].reshape(()),
            torch.softmax(scores, 0),
        )
        (gradient,) = torch.autograd.grad(loss, values, create_graph=True)
        stepped = layout.split(adamw_values(learner, gradient, self.rate, layout.decayed))
        losses = [self._downstream(stepped, task) for task in self.tasks]
        return torch.stack(losses).mean()

    def _downstream(self, named: dict[str, Tensor], task: Labelled) -> Tensor:
        scale = self.state.downstream_scale.values[0].exp()
        classes = self.reference.texts(named, task.classes)
        logits = scale * self.reference.images(named, task.images) @ classes.T
        return torch.nn.functional.cross_entropy(logits, task.labels)


def adamw_values(learner: Learner, gradient: Tensor, rate: float, decayed: int) -> Tensor:
    """AdamW's update in the textbook's order, for autograd; the root is cut at zero."""
    t = learner.steps + 1
    mean = ADAMW.beta1 * learner.mean + (1 - ADAMW.beta1) * gradient
    square = ADAMW.beta2 * learner.square + (1 - ADAMW.beta2) * gradient**2
    hat = square / (1 - ADAMW.beta2**t)
    root = torch.where(hat > 0, torch.where(hat > 0, hat, 1.0).sqrt(), 0.0)
    decay = torch.ones_like(gradient)
    decay[:decayed] -= rate * ADAMW.weight_decay
    return learner.values * decay - rate * mean / (1 - ADAMW.beta1**t) / (root + ADAMW.epsilon)


def make_reference(hidden: int = 0) -> EmbeddingReference:
    return EmbeddingReference(8, 8, width=6, hidden=hidden, dtype=DOUBLE)


def make_labelled(random: torch.Generator, n: int = 12, n_classes: int = 4) -> Labelled:
    return Labelled(
        images=torch.randn(n, 8, generator=random, dtype=DOUBLE),
        labels=torch.randint(n_classes, (n,), generator=random),
        classes=torch.randn(n_classes, 8, generator=random, dtype=DOUBLE),
    )


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    """`make_problem(head, hidden=0, n_tasks=1, warm=3, n=16)`; `warm` steps are taken first."""

    def make(
        head: str = "glu", hidden: int = 0, n_tasks: int = 1, warm: int = 3, n: int = 16
    ) -> Problem:
        random = torch.Generator().manual_seed(7)
        images, texts, columns = (
            torch.randn(n, k, generator=random, dtype=DOUBLE) for k in (8, 8, 3)
        )
        scorer: Scorer = GluHead(8, 8, dtype=DOUBLE)
        inputs = torch.cat([images, texts], 1)
        if head == "mixer":
            scorer, inputs = LinearMixer(columns.mean(0), columns.std(0)), columns
        tasks = tuple(make_labelled(random) for _ in range(n_tasks))
        pairs = Pairs(images, texts, inputs)
        reference = make_reference(hidden)
        state = Stepper(reference, scorer, ADAMW, 1000, Ranks()).start()
        problem = Problem(reference, scorer, pairs, tasks, state)
        for _ in range(warm):
            state, _ = problem.stepper().step(state, pairs, tasks, 0.01, 0.1)
        return replace(problem, state=state)

    return make
