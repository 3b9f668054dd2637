"""Keep the pairs whose weight in training would make a labelled task easier: a learned score.

FLYT (arXiv 2503.08805): a scoring head on frozen CLIP embeddings weighs each batch of the pool by
the softmax of its scores; a reference model takes one step on the weighted contrastive loss, and
the gradient of its loss on a labelled set, led back through that step, trains the head. Kept is the
top 20% by the head's score.

Departures. Unless `reference_model` names a CLIP, the reference is no CLIP that sees pictures, but
two linear adapters (optionally with a second layer) that start as the identity on stored
embeddings, so that training takes minutes; its rate is higher then (the paper's is 5e-5). Pictures
are cropped as for evaluation, not at random, and a CLIP runs without dropout and by its stored
batch statistics. The class text of a step is a random caption of that class in the labelled set;
the paper fills one random template. At most `train_rows` rows of the pool are trained on. The
gradient that reaches the head is divided by the reference's learning rate, so that the head's AdamW
sees one size of it throughout the schedule. The reference takes one optimizer step per training
step (the original: one more for every task and for the downstream scale, which moves Adam's moments
several times); weights come from a log-softmax (the original's exp overflows); everything is
float32 (the original: float16 with a loss scaler). Of the original's options, frozen reference,
contrastive downstream loss, cosine start of the head and training of the scoring towers are left
out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View
from datacomp.filtering.scores import Expression, Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.flyt.options import Trained
from datacomp_filters.flyt.scorer import SCORE, FlytScore


@dataclass(frozen=True, kw_only=True)
class Flyt(Trained, Filter):
    """The highest `fraction` of a learned score; the other parameters are the training's."""

    name = "flyt"
    summary = "Keep the top fraction of a score that learned what a labelled task needs."
    reference = "arXiv 2503.08805"
    example = "downstream=pools/trusted"
    uses_eval_related_data = "train"

    fraction: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")

    def steps(self) -> tuple[FlytScore, ...]:
        """The score."""
        return (FlytScore(**self.trained()),)

    def score(self) -> Expression:
        """The head's score."""
        return Produced(describe(self), self.steps()[0], SCORE)

    def rules(self) -> tuple[str, ...]:
        """Training and cut."""
        return (*self.training_rules(), *self._selector().rules())

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction:
        return TopFraction(column=self.score(), fraction=self.fraction)
