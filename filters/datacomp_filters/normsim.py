"""Keep images that resemble a target set's: the norm of their cosines with all of it (NormSim).

NormSim_p of image i is (sum_t |<f_t, f_i>|^p)^(1/p) over the normalised embeddings f_t of the
target, for p = 2 (`norm=l2`) or infinity (`norm=inf`), where it is the highest |cosine| with any
of them (arXiv 2405.19547). The published recipe is negCLIPLoss, top 0.3, then NormSim-inf, top two
thirds of what is left, the target being ImageNet-1k's training images or those of 24 tasks:

    select:
      cascade:
        - negcliploss: {fraction: 0.3}
        - normsim: {fraction: 0.6667, target: pools/target}

Departures from the authors' code: embeddings are normalised first, where it takes them as stored;
ties go to the lower uid; a row without a direction has no score. NormSim-2 is the square root of
the target's size times VAS (`vas`), and is computed so; NormSim-2-D, whose target is what is left
of the pool itself, is VAS-D: `vas` without a target.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import (
    Asset,
    Filter,
    Host,
    RowFunction,
    RowStep,
    Selection,
    View,
    runtime_field,
)
from datacomp.filtering.scores import Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.cosines import cosines
from datacomp_filters.embeddings import Encoder, OfEncoder, demand_width, feature_rows, unit_rows
from datacomp_filters.paths import anchor_paths
from datacomp_filters.trusted import pool_assets, read_features
from datacomp_filters.vas import TargetMoment
from datacomp_filters.vas_rounds import alignments

SCORE = "normsim"


@dataclass(frozen=True, kw_only=True)
class NormSimInf(OfEncoder, RowStep):
    """The highest |cosine| with a target image; null for an image without a direction.

    Holds the target in memory as it is read: 4 bytes a dimension, 4 GB for ImageNet-1k by L/14.
    """

    name = "normsim_inf"
    device = "either"
    tolerance = 1e-6
    rows_per_second = 100.0

    target: str = runtime_field(default="")

    def assets(self) -> tuple[Asset, ...]:
        """The target's files."""
        return pool_assets(self.target)

    def outputs(self) -> pa.Schema:
        """A number from 0 to 1."""
        return pa.schema([(SCORE, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Read the target."""
        (key,) = self.features
        features = read_features(self.target, key)
        if not unit_rows(features)[1].any():
            raise FilterError(f"no {self.encoder} image embedding of {self.target} has a direction")
        target = cosines(features, host.device)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images, usable = unit_rows(feature_rows(batch, key))
            demand_width(images, features.shape[1], "the target's")
            scores = target.strongest(images)
            return pa.record_batch([pa.array(scores, mask=~usable)], names=[SCORE])

        return compute


@dataclass(frozen=True, kw_only=True)
class NormSim2(OfEncoder, RowStep):
    """The root of the sum of squared cosines with the target images; null without a direction."""

    name = "normsim_2"
    tolerance = 1e-4
    rows_per_second = 50_000.0

    target: str = runtime_field(default="")

    def fits(self) -> tuple[TargetMoment, ...]:
        """The target's second moment."""
        return (TargetMoment(encoder=self.encoder, target=self.target),)

    def outputs(self) -> pa.Schema:
        """A number from 0 to the root of the target's size."""
        return pa.schema([(SCORE, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Take the moment."""
        (fit,) = self.fits()
        arrays = host.arrays(fit)
        moment, n_rows = arrays["moment"].astype(np.float32), np.float32(arrays["n_rows"])

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            images, usable = unit_rows(feature_rows(batch, *self.features))
            demand_width(images, len(moment), "the target's")
            scores = np.sqrt(n_rows * np.maximum(alignments(images, moment), 0))
            return pa.record_batch([pa.array(scores, mask=~usable)], names=[SCORE])

        return compute


@dataclass(frozen=True, kw_only=True)
class NormSim(Filter):
    """The highest fraction by NormSim; in a cascade, of what is left."""

    name = "normsim"
    summary = "Keep images that resemble those of a target set."
    example = "fraction=0.2 target=pools/target"
    reference = "arXiv 2405.19547"
    uses_eval_related_data = "train"

    fraction: float
    norm: Literal["inf", "l2"] = "inf"
    encoder: Encoder = "l14"
    target: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        if self.target is None:
            raise UsageError("normsim needs target=POOL, a pool whose images are wanted")
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")

    def steps(self) -> tuple[RowStep, ...]:
        """The norm."""
        kind = NormSimInf if self.norm == "inf" else NormSim2
        return (kind(encoder=self.encoder, target=self.target or ""),)

    def score(self) -> Produced:
        """The norm."""
        (step,) = self.steps()
        return Produced(describe(self), step, SCORE)

    def rules(self) -> tuple[str, ...]:
        """The norm, and the cut."""
        what = "highest |cosine|" if self.norm == "inf" else "root of the sum of squared cosines"
        return (
            f"NormSim, norm {self.norm}: the {what} of the image's {self.encoder} embedding with "
            f"those of {self.target}.",
            "no_score: the embedding has no direction.",
            *self._selector().rules(),
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction:
        return TopFraction(column=self.score(), fraction=self.fraction)
