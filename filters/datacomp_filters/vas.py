"""Keep images that lie along the directions in which a target set's images vary (VAS).

Of the pairs with the highest CLIP scores, those with the highest VAS = f' S f are kept: f is the
normalised embedding of the image, S the second moment (mean of f f') of the target's embeddings, or
without a target of the pool's own: VAS-D, which re-estimates S from what is left, round after round
(arXiv 2402.02055; superseded by NormSim of arXiv 2405.19547). The default fractions, both of the
whole pool, are those of the authors' script for medium: 0.3 by CLIP score, 0.2 in the end.

VAS-D: in round 1 S is made of all rows of the pool, the CLIP cut not yet made; every round drops as
many of the rows that are left as the others, the last in `f' S f`, and S is made anew of those that
stay. The authors' code has 100 rounds, its script 500; `rounds=1` is one cut by the pool's own S.

Departures from the authors' code. S is made of all rows, where VAS-D's is estimated from a random
tenth of them in every round. Embeddings are normalised first, where the code takes them as stored.
Rows per round are rounded so that the last round ends at the fraction exactly; the code's rounding
can drop more before. Ties go to the lower uid. A row without CLIP score, or whose embedding has no
direction, is never kept, and counts in N.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import (
    Arrays,
    Asset,
    Bench,
    Filter,
    Fit,
    Host,
    PartView,
    PoolStep,
    RowFunction,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp.filtering.scores import Produced
from datacomp.filtering.tree import describe
from datacomp.subset.selectors import share
from datacomp_filters.clip_score import ARCHITECTURES
from datacomp_filters.embeddings import (
    Encoder,
    Mask,
    OfEncoder,
    demand_width,
    feature_rows,
    unit_rows,
)
from datacomp_filters.paths import anchor_paths
from datacomp_filters.trusted import pool_assets, read_features
from datacomp_filters.vas_rounds import LASTED, SCORE, AlignmentRounds, Moment, alignments

ROUNDS = 100


@dataclass(frozen=True, kw_only=True)
class TargetMoment(Fit):
    """The second moment of a target pool's images.

    `moment` (d, d; float64): the mean of f f' over its rows that have a direction; `n_rows` (int64)
    of these. The same for all pools.
    """

    name = "target_moment"

    encoder: Encoder = "l14"
    target: str = runtime_field(default="")

    def assets(self) -> tuple[Asset, ...]:
        """The target's files."""
        return pool_assets(self.target)

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Add up."""
        features = read_features(self.target, f"{self.encoder}_img")
        moment = Moment()
        moment.add(features)
        if not moment.n_rows:
            raise FilterError(f"no {self.encoder} image embedding of {self.target} has a direction")
        return {"moment": moment.mean(), "n_rows": np.array(moment.n_rows)}


@dataclass(frozen=True, kw_only=True)
class Alignment(OfEncoder, RowStep):
    """VAS with a target: a number from 0 to 1; null for an image without a direction."""

    name = "variance_alignment"
    tolerance = 1e-6
    rows_per_second = 50_000.0

    target: str = runtime_field(default="")

    def fits(self) -> tuple[TargetMoment, ...]:
        """The target's second moment."""
        return (TargetMoment(encoder=self.encoder, target=self.target),)

    def outputs(self) -> pa.Schema:
        """The score."""
        return pa.schema([(SCORE, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Take the moment."""
        (fit,) = self.fits()
        moment = host.arrays(fit)["moment"].astype(np.float32)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images, usable = unit_rows(feature_rows(batch, *self.features))
            demand_width(images, len(moment), "the target's")
            scores = alignments(images, moment)
            return pa.record_batch([pa.array(scores, mask=~usable)], names=[SCORE])

        return compute


@dataclass(frozen=True, kw_only=True)
class Vas(Filter):
    """The best `clip_fraction` by CLIP score; of them, the `fraction` of the pool with most VAS."""

    name = "vas"
    summary = "Keep well captioned images along the directions in which a target set varies."
    reference = "arXiv 2402.02055"
    uses_eval_related_data = "train"

    fraction: float = 0.2
    clip_fraction: float = 0.3
    encoder: Encoder = "l14"
    rounds: int | None = None
    target: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        if not 0 <= self.fraction <= self.clip_fraction <= 1:
            raise UsageError(
                "vas needs 0 <= fraction <= clip_fraction <= 1, got "
                f"fraction={self.fraction}, clip_fraction={self.clip_fraction}"
            )
        if self.target is not None and self.rounds is not None:
            raise UsageError("vas has rounds only where there is no target; give one of the two")
        if self.rounds is not None and self.rounds < 1:
            raise UsageError(f"rounds is 1 or more, got {self.rounds}")
        if self.target is None:
            object.__setattr__(self, "uses_eval_related_data", "none")

    def columns(self) -> tuple[str, ...]:
        """The encoder's CLIP score."""
        return (ARCHITECTURES[self.encoder],)

    def steps(self) -> tuple[RowStep | PoolStep, ...]:
        """VAS, or all of VAS-D but the last cut."""
        if self.target is not None:
            return (Alignment(encoder=self.encoder, target=self.target),)
        return (
            AlignmentRounds(
                encoder=self.encoder,
                fraction=self.fraction,
                clip_fraction=self.clip_fraction,
                rounds=self.rounds or ROUNDS,
            ),
        )

    def score(self) -> Produced:
        """VAS, by the last S."""
        (step,) = self.steps()
        return Produced(describe(self), step, SCORE)

    def rules(self) -> tuple[str, ...]:
        """What S is made of, and the cuts."""
        if self.target is None:
            rounds = self.rounds or ROUNDS
            of = f"the pool's own images, in {rounds} rounds anew of those that are left (VAS-D)"
        else:
            of = f"the images of {self.target}"
        return (
            f"VAS is f' S f, f the image's {self.encoder} embedding, S the second moment of {of}.",
            f"no_score: no {self.columns()[0]}, or an embedding without a direction.",
            f"earlier_cut: not among the floor(N * {self.clip_fraction}) highest CLIP scores of N "
            "rows, or dropped before the last round.",
            f"below_cut: not among the floor(N * {self.fraction}) highest VAS of those. Ties go to "
            "the lower uid.",
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut by VAS what earlier cuts leave."""
        left = self._left(view)

        def candidates(rows: PartView) -> npt.NDArray[np.float32]:
            return np.where(left(rows), rows.scores(SCORE), np.float32(np.nan))

        cut = view.cut(candidates, share(view.n_rows, self.fraction))
        for rows in view.parts():
            scores = candidates(rows)
            clip = rows.scores(*self.columns())
            yield keep_unless(
                rows,
                {
                    "no_score": np.isnan(rows.scores(SCORE)) | np.isnan(clip),
                    "earlier_cut": ~left(rows),
                    "below_cut": ~cut.keeps(scores, partial(getattr, rows, "uids")),
                },
            )

    def _left(self, view: View) -> Callable[[PartView], Mask]:
        """Which rows of a part the earlier cuts leave."""
        if self.target is None:
            return lambda rows: rows.column(LASTED).to_numpy()
        (column,) = self.columns()
        cut = view.cut(lambda rows: rows.scores(column), share(view.n_rows, self.clip_fraction))
        # A cut is asked once a part, and what it says is read more often: a bit a row.
        kept = {
            rows.part.name: np.packbits(
                cut.keeps(rows.scores(column), partial(getattr, rows, "uids"))
            )
            for rows in view.parts()
        }
        return lambda rows: np.unpackbits(kept[rows.part.name], count=rows.n_rows).astype(bool)
