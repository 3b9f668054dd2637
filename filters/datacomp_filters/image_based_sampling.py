"""Draw images with replacement so that clusters come as often as ImageNet's images lie in them.

From DataComp's appendix ("Image-based sampling", not in its code): a cluster with s ImageNet-1k
training images is drawn with probability proportional to s^alpha, then one of its images, all
alike; an example is repeated at most 100 times. The paper tries alpha 0, 0.2, 0.5, 1 and 2, finds
0.2 best, and filtering better. A cluster without an ImageNet image is never drawn, whatever alpha.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.filtering import PartView, Selection, View, keep_unless
from datacomp_filters.captions import Mask
from datacomp_filters.clusters import CLUSTER
from datacomp_filters.draws import Rows, draw
from datacomp_filters.image_based import ImageBased
from datacomp_filters.text_based_sampling import demand_counts, drawing_rule


@dataclass(frozen=True, kw_only=True)
class ImageBasedSampling(ImageBased):
    """What `image_based` keeps, drawn `draws` times (default: as often as the pool has rows)."""

    name = "image_based_sampling"
    summary = "Draw what image_based keeps with replacement, clusters as ImageNet has them."
    example = "scale=small"

    alpha: float = 0.2
    draws: int | None = None
    max_repeats: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_counts(self.draws, self.max_repeats)

    def rules(self) -> tuple[str, ...]:
        """Those of `image_based`, then the draw."""
        return (
            *super().rules(),
            f"A cluster with s ImageNet-1k images is drawn in proportion to s^{self.alpha}, its "
            "images alike.",
            drawing_rule(self.draws, self.max_repeats, self.seed),
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Count the images to draw from in each cluster, then draw."""
        (fit,) = self.fits()
        arrays = view.arrays(fit)
        clusters = arrays["clusters"]
        listed, members = pa.array(clusters), np.zeros(len(clusters), np.int64)
        for rows in view.parts():
            place, _ = self._places(rows, listed, clusters)
            members += np.bincount(place[place >= 0], minlength=len(clusters))
        wanted = arrays["images"].astype(np.float64) ** self.alpha
        scores = np.divide(wanted, members, out=np.zeros(len(clusters)), where=members > 0)

        def weighed() -> Iterator[Rows]:
            for rows in view.parts():
                place, _ = self._places(rows, listed, clusters)
                yield rows.uids, np.where(place >= 0, scores[place], 0.0)

        times_drawn = draw(weighed, self.draws or view.n_rows, self.max_repeats, self.seed)
        for rows, copies in zip(view.parts(), times_drawn, strict=True):
            _, reasons = self._places(rows, listed, clusters)
            yield keep_unless(rows, {**reasons, "not_drawn": copies == 0}, copies)

    def _places(
        self, rows: PartView, listed: pa.Array, clusters: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int64], dict[str, Mask]]:
        """The place of each kept row's cluster among `clusters`, -1 for a dropped row; reasons."""
        reasons = self.reasons(rows, listed)
        kept = ~np.logical_or.reduce(list(reasons.values()))
        numbers = rows.column(CLUSTER).fill_null(-1).to_numpy()
        place = np.full(rows.n_rows, -1, np.int64)
        place[kept] = np.searchsorted(clusters, numbers[kept])
        return place, reasons
