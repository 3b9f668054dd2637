"""Keep captioned images like ImageNet's (DataComp, Table 3, "Image-based").

An image is kept if its CLIP L/14 feature lies in a cluster in which an ImageNet-1k training image
lies. Two things of the original are defects, repeated under `compat="datacomp"` only: clusters made
by k-means in L2 are assigned by inner product with centroids that are not normalised; and words are
counted by fastText's tokenizer, for which every newline is a word and a no-break space is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datacomp.errors import UsageError
from datacomp.filtering import (
    Filter,
    PartView,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp_filters.captions import (
    Mask,
    equals,
    has_fewer_characters,
    has_fewer_fasttext_tokens,
    has_fewer_words,
    is_null,
    to_mask,
)
from datacomp_filters.clusters import CLUSTER, NearestCluster, Scale, TargetClusters
from datacomp_filters.language import LANGUAGE, FastTextLanguage, model_name
from datacomp_filters.nearest import Metric
from datacomp_filters.paths import anchor_paths

MIN_WORDS, MIN_CHARS = 2, 6


@dataclass(frozen=True, kw_only=True)
class ImageBased(Filter):
    """A rule about captions, and clusters; `scale` or `centroids` says which clusters."""

    name = "image_based"
    summary = "Keep captioned images in clusters where ImageNet-1k training images lie."
    example = "scale=small"
    reference = "arXiv 2304.14108"
    uses_eval_related_data = "train"

    scale: Scale | None = None
    compat: Literal["datacomp"] | None = None
    language_model: str | None = runtime_field(default=None)
    centroids: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        if (self.scale is None) == (self.centroids is None):
            raise UsageError(f"{self.name} needs exactly one of scale and centroids")

    def columns(self) -> tuple[str, ...]:
        """The caption."""
        return ("text",)

    def steps(self) -> tuple[RowStep, ...]:
        """The language of the caption, and the image's cluster."""
        return (
            FastTextLanguage(model=self.language_model),
            NearestCluster(metric=self._metric(), scale=self.scale, centroids=self.centroids),
        )

    def fits(self) -> tuple[TargetClusters, ...]:
        """The clusters that ImageNet's images lie in."""
        return (
            TargetClusters(
                metric=self._metric(),
                scale=self.scale,
                centroids=self.centroids,
                target=self.target,
            ),
        )

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        if self.compat is None:
            words = (
                "between Unicode white space. DataComp counts fastText's tokens: compat=datacomp"
            )
            near = "by distance (L2). DataComp takes the highest inner product: compat=datacomp"
        else:
            words = "or newlines between ASCII white space (fastText's tokens; compat=datacomp)"
            near = "by inner product, centroids not normalised (compat=datacomp)"
        which = f"the {self.scale} pool's" if self.scale else self.centroids
        return (
            "null_caption: there is no caption.",
            "not_english: fastText's first label is not 'en'; model "
            f"{model_name(self.language_model)}.",
            f"few_words: fewer than {MIN_WORDS} words {words}.",
            f"few_chars: fewer than {MIN_CHARS} characters, white space counted.",
            "no_cluster: the image's feature is not finite.",
            "other_cluster: no ImageNet-1k training image has the same nearest centroid "
            f"(of {which}), {near}.",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Judge part by part."""
        (fit,) = self.fits()
        clusters = pa.array(view.arrays(fit)["clusters"])
        for rows in view.parts():
            yield keep_unless(rows, self.reasons(rows, clusters))

    def reasons(self, rows: PartView, clusters: pa.Array) -> dict[str, Mask]:
        """Why a row would be dropped, given the clusters to keep."""
        captions, cluster = rows.column("text"), rows.column(CLUSTER)
        fewer = has_fewer_fasttext_tokens if self.compat else has_fewer_words
        return {
            "null_caption": is_null(captions),
            "not_english": ~equals(rows.column(LANGUAGE), "en"),
            "few_words": fewer(captions, MIN_WORDS),
            "few_chars": has_fewer_characters(captions, MIN_CHARS),
            "no_cluster": np.asarray(pc.is_null(cluster)),
            "other_cluster": ~to_mask(pc.is_in(cluster, clusters)),
        }

    def _metric(self) -> Metric:
        return "inner_product" if self.compat else "l2"
