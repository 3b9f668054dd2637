"""One step of FLYT (arXiv 2503.08805): a look ahead, and what the scores had to do with it.

    w   = softmax of the scores of the whole upstream batch
    g   = gradient of the weighted CLIP loss by the reference's parameters
    x'  = AdamW(x, g), the stepped reference
    v   = gradient of the downstream loss at x', brought back through AdamW to g
    d   = derivative by w of v . g, the mixed second derivative
    the scorer steps along the gradient of <softmax(scores), d>, and the reference stays at x'.

The loss sees the parameters only through the features, so d follows in closed form from the
features and their tangents along v, and no second graph is built.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.downstream import Judge, Labelled
from datacomp_filters.flyt.heads import Scorer
from datacomp_filters.flyt.losses import mixed_derivative, weighted_clip_loss
from datacomp_filters.flyt.optimizer import AdamW, Layout, Learner
from datacomp_filters.flyt.passes import Function, Pass
from datacomp_filters.flyt.references import LOGIT_SCALE, START_LOG_SCALE, Reference

LOG_SCALE_RANGE = (2.0, math.log(100))
"""The reference's log scale is kept here after each step (FLYT's code; CLIP's starts at 0)."""


@dataclass(frozen=True)
class Pairs:
    """This process's rows of an upstream batch: for the two towers, and for the scorer."""

    images: Tensor
    texts: Tensor
    inputs: Tensor


@dataclass(frozen=True)
class State:
    """All that a step changes. The downstream log scale, (1,), is trained beside the reference."""

    reference: Learner
    downstream_scale: Learner
    scorer: Learner

    def learners(self) -> tuple[Learner, Learner, Learner]:
        """In the order of the fields."""
        return self.reference, self.downstream_scale, self.scorer


@dataclass(frozen=True)
class LookAhead:
    """What a step found before the scorer moves.

    `gradient` and `v` lie in the reference's flat vector, `v` without its factor, the learning
    rate. `log_weights` and `weighted_d`, w * d, are of the whole batch, from that same v.
    """

    reference: Learner
    downstream_scale: Learner
    gradient: Tensor
    v: Tensor
    scores: Tensor
    log_weights: Tensor
    weighted_d: Tensor
    scorer_gradient: Tensor
    upstream_loss: Tensor
    downstream_loss: Tensor


class Stepper:
    """The models of a run, and how one step changes them.

    `micro_batch` is how many rows are in one graph, and in one block of the batch's logits.
    """

    def __init__(
        self,
        reference: Reference,
        scorer: Scorer,
        optimizer: AdamW,
        micro_batch: int,
        ranks: Ranks,
    ) -> None:
        self._reference, self._scorer = reference, scorer
        self._optimizer, self._micro_batch, self.ranks = optimizer, micro_batch, ranks
        self.reference_layout = Layout.of(reference.parameters())
        self.scorer_layout = Layout.of(scorer.parameters())
        self._judge = Judge(reference, self.reference_layout, micro_batch, ranks)

    def start(self, device: str = "cpu") -> State:
        """Both models at their start, the downstream scale at 1/0.07."""
        values = self.reference_layout.join(self._reference.parameters()).to(device)
        scorer = self.scorer_layout.join(self._scorer.parameters()).to(device)
        return State(
            reference=Learner.start(values),
            downstream_scale=Learner.start(values.new_full((1,), START_LOG_SCALE)),
            scorer=Learner.start(scorer),
        )

    def step(
        self,
        state: State,
        pairs: Pairs,
        tasks: Sequence[Labelled],
        reference_rate: float,
        scoring_rate: float,
    ) -> tuple[State, LookAhead]:
        """The state after a step, in which each optimizer moved once."""
        found = self.look_ahead(state, pairs, tasks, reference_rate)
        scorer = self._optimizer.step(
            state.scorer, found.scorer_gradient, scoring_rate, self.scorer_layout.decayed
        )
        return State(found.reference, found.downstream_scale, scorer), found

    def look_ahead(
        self, state: State, pairs: Pairs, tasks: Sequence[Labelled], rate: float
    ) -> LookAhead:
        """Step the reference, and find the gradient of the downstream loss by the scorer.

        The gradient is divided by `rate`, of which it is a multiple: the scorer's AdamW, whose
        epsilon is a constant, then sees one size of gradients in warm-up and at the end as well.
        """
        layout, values = self.reference_layout, state.reference.values
        images = self._pass(self._reference.images, layout, values, pairs.images)
        texts = self._pass(self._reference.texts, layout, values, pairs.texts)
        scoring = self._pass(
            self._scorer.scores, self.scorer_layout, state.scorer.values, pairs.inputs
        )
        scores, mine = self.ranks.gather(scoring.outputs)
        log_weights = torch.log_softmax(scores, 0)
        log_scale = layout.split(values)[LOGIT_SCALE].reshape(())

        features = self._gather_both(images.outputs, texts.outputs)
        upstream = weighted_clip_loss(*features, log_scale, log_weights, self._micro_batch)
        gradient = torch.zeros_like(values)
        images.pull(upstream.images[mine], gradient)
        texts.pull(upstream.texts[mine], gradient)
        self.ranks.sum(gradient)
        # From gathered features every process has the whole of this one: it is not summed.
        layout.split(gradient)[LOGIT_SCALE] += upstream.log_scale

        reference = self._optimizer.step(state.reference, gradient, rate, layout.decayed)
        # The downstream loss has a scale of its own, so this is in no derivative.
        layout.split(reference.values)[LOGIT_SCALE].clamp_(*LOG_SCALE_RANGE)
        judged = self._judge.judge(reference.values, state.downstream_scale.values, tasks)
        v = self._optimizer.step_vjp(reference, gradient, 1.0, judged.gradient)

        downstream_scale = self._optimizer.step(
            state.downstream_scale, judged.log_scale, rate, decayed=0
        )

        tangents = self._gather_both(images.push(v), texts.push(v))
        weighted_d = mixed_derivative(
            *features, *tangents, log_scale, log_weights, self._micro_batch
        )
        scorer_gradient = torch.zeros_like(state.scorer.values)
        by_scores = weighted_d - log_weights.exp() * weighted_d.sum()
        scoring.pull(by_scores[mine], scorer_gradient)
        return LookAhead(
            reference=reference,
            downstream_scale=downstream_scale,
            gradient=gradient,
            v=v,
            scores=scores,
            log_weights=log_weights,
            weighted_d=weighted_d,
            scorer_gradient=self.ranks.sum(scorer_gradient),
            upstream_loss=upstream.loss,
            downstream_loss=judged.loss,
        )

    def downstream_loss(self, state: State, tasks: Sequence[Labelled]) -> Tensor:
        """The loss of the reference as it is: with a step's, what the step did."""
        return self._judge.loss(state.reference.values, state.downstream_scale.values, tasks)

    def _pass(self, function: Function, layout: Layout, values: Tensor, inputs: Tensor) -> Pass:
        return Pass(function, layout, values, inputs, self._micro_batch)

    def _gather_both(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        both, _ = self.ranks.gather(torch.cat([images, texts], 1))
        width = images.shape[1]
        return both[:, :width].contiguous(), both[:, width:].contiguous()
