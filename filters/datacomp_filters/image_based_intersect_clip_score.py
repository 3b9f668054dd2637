"""Keep what both `image_based` and `clip_score` keep; with L/14 and 0.3 this made DataComp-1B.

DataComp, Table 3, "Image-based ∩ CLIP score (L/14 30%)". The fraction is one of the whole pool, not
of what the images leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from datacomp.filtering import Filter, Fit, Selection, View, runtime_field
from datacomp.filtering.combine import And
from datacomp.filtering.contract import Step
from datacomp_filters.clip_score import ClipScore
from datacomp_filters.clusters import Scale
from datacomp_filters.image_based import ImageBased
from datacomp_filters.paths import anchor_paths


@dataclass(frozen=True, kw_only=True)
class ImageBasedIntersectClipScore(Filter):
    """The parameters of both."""

    name = "image_based_intersect_clip_score"
    summary = "Keep what image_based and clip_score both keep (DataComp-1B's rule)."
    example = "scale=small fraction=0.3"
    reference = "arXiv 2304.14108"
    uses_eval_related_data = "train"

    scale: Scale | None = None
    fraction: float | None = None
    threshold: float | None = None
    arch: Literal["b32", "l14"] = "l14"
    compat: Literal["datacomp"] | None = None
    language_model: str | None = runtime_field(default=None)
    centroids: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        self._both()

    def columns(self) -> tuple[str, ...]:
        """Those of both."""
        return self._both().columns()

    def steps(self) -> tuple[Step, ...]:
        """Those of both."""
        return self._both().steps()

    def fits(self) -> tuple[Fit, ...]:
        """Those of both."""
        return self._both().fits()

    def rules(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(f"{one.name}: {rule}" for one in self._both().of for rule in one.rules())

    def select(self, view: View) -> Iterator[Selection]:
        """The score's cut first, then the images."""
        return self._both().select(view)

    def _both(self) -> And:
        score = ClipScore(
            fraction=self.fraction, threshold=self.threshold, arch=self.arch, compat=self.compat
        )
        image = ImageBased(
            scale=self.scale,
            compat=self.compat,
            language_model=self.language_model,
            centroids=self.centroids,
            target=self.target,
        )
        return And(of=(score, image))
