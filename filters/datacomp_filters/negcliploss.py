"""Keep pairs whose CLIP score stands out from what image and caption score with other pairs.

With f the normalised embedding of an image and g that of a caption, the score of pair i is
<f_i, g_i> - (tau / 2) (log sum_j exp(<f_i, g_j> / tau) + log sum_j exp(<f_j, g_i> / tau)), j
running over a random batch that i is in, averaged over several batches: the negative of i's CLIP
loss times tau (negCLIPLoss, arXiv 2405.19547). The published recipe then keeps the top two thirds
by NormSim: a cascade of this filter and `normsim`, which shows it.

Departures from the authors' code. It splits each metadata file into batches at random, the last one
smaller than the others, and without a seed; here all rows are compared with the same few batches,
drawn from the whole pool by uid and seed. A row that such a batch does not hold takes the place of
its last member, so that every row is judged among exactly `batch_size` - 1 others drawn at random,
as there, wherever it stands in the pool; that costs two matrix products instead of one. A pool of
no more rows than a batch is one batch, and the score exact. The code takes embeddings as stored;
here they are normalised. A row without an embedding that has a direction has no score.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View
from datacomp.filtering.scores import Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.embeddings import Encoder
from datacomp_filters.negative_clip_loss import (
    BATCH_SIZE,
    BATCHES,
    SCORE,
    TEMPERATURE,
    NegativeClipLoss,
)


@dataclass(frozen=True, kw_only=True)
class NegClipLoss(Filter):
    """The highest fraction of the score."""

    name = "negcliploss"
    summary = "Keep pairs whose CLIP score stands out among the pairs of random batches."
    reference = "arXiv 2405.19547"

    fraction: float = 0.3
    encoder: Encoder = "l14"
    temperature: float = TEMPERATURE
    batch_size: int = BATCH_SIZE
    batches: int = BATCHES
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        if not 0 < self.temperature < np.inf:
            raise UsageError(f"temperature is a finite number above 0, got {self.temperature}")
        for name, value in (("batch_size", self.batch_size), ("batches", self.batches)):
            if value < 1:
                raise UsageError(f"{name} is 1 or more, got {value}")

    def steps(self) -> tuple[NegativeClipLoss, ...]:
        """The score."""
        return (
            NegativeClipLoss(
                encoder=self.encoder,
                temperature=self.temperature,
                batch_size=self.batch_size,
                batches=self.batches,
                seed=self.seed,
            ),
        )

    def score(self) -> Produced:
        """The negative CLIP loss."""
        (step,) = self.steps()
        return Produced(describe(self), step, SCORE)

    def rules(self) -> tuple[str, ...]:
        """How the score is made, and the cut."""
        return (
            f"Each pair is compared with {self.batches} batches of {self.batch_size:,} pairs, "
            f"drawn by uid (seed {self.seed}), at temperature {self.temperature}; with all pairs "
            "at once if there are no more.",
            f"no_score: the {self.encoder} embedding of image or caption has no direction.",
            *self._selector().rules(),
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction:
        return TopFraction(column=self.score(), fraction=self.fraction)
