"""Draw captions with replacement so that rare classes of ImageNet-21k come more often.

From DataComp's appendix ("Text-based sampling", not in its code): a class j that N_j captions name
has the score N_j^(alpha - 1), a caption the mean or the highest of its classes' scores; it is drawn
with probability proportional to that, and repeated at most 100 times. alpha 1 is uniform. All
balancing made models worse in the paper: repeats meet themselves in the contrastive batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.filtering import PartView, Selection, View, keep_unless
from datacomp_filters.captions import Mask
from datacomp_filters.draws import Rows, draw
from datacomp_filters.text_based import Entities, TextBased


@dataclass(frozen=True, kw_only=True)
class TextBasedSampling(TextBased):
    """What `text_based` keeps, drawn `draws` times (default: as often as the pool has rows)."""

    name = "text_based_sampling"
    summary = "Draw what text_based keeps with replacement, rare classes more often."

    alpha: float = 0.5
    class_score: Literal["mean", "max"] = "mean"
    draws: int | None = None
    max_repeats: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        demand_counts(self.draws, self.max_repeats)

    def rules(self) -> tuple[str, ...]:
        """Those of `text_based`, then the draw."""
        return (
            *super().rules(),
            f"A class that N captions name scores N^({self.alpha} - 1); a caption is drawn in "
            f"proportion to the {self.class_score} of its classes' scores.",
            drawing_rule(self.draws, self.max_repeats, self.seed),
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Count the classes, then draw."""
        (ids,) = self.fits()
        wanted = view.arrays(ids)["offsets"]
        counts: dict[int, int] = {}
        for rows in view.parts():
            _, found = self._kept(rows, wanted)
            codes, times = np.unique(found.code, return_counts=True)
            for code, n in zip(codes.tolist(), times.tolist(), strict=True):
                counts[code] = counts.get(code, 0) + n
        classes = np.array(sorted(counts), np.int32)
        sizes = np.array([counts[code] for code in classes.tolist()], np.float64)
        scores = sizes ** (self.alpha - 1)

        def weighed() -> Iterator[Rows]:
            for rows in view.parts():
                _, found = self._kept(rows, wanted)
                yield rows.uids, self._weights(found, classes, scores, rows.n_rows)

        times_drawn = draw(weighed, self.draws or view.n_rows, self.max_repeats, self.seed)
        for rows, copies in zip(view.parts(), times_drawn, strict=True):
            reasons, _ = self._kept(rows, wanted)
            yield keep_unless(rows, {**reasons, "not_drawn": copies == 0}, copies)

    def _kept(
        self, rows: PartView, wanted: npt.NDArray[np.int32]
    ) -> tuple[dict[str, Mask], Entities]:
        """The reasons of `text_based`, and the classes of the rows that none of them holds for."""
        found = self.entities(rows, wanted)
        reasons = self.reasons(rows, found)
        kept = ~np.logical_or.reduce(list(reasons.values()))[found.row]
        return reasons, replace(found, row=found.row[kept], code=found.code[kept])

    def _weights(
        self,
        found: Entities,
        classes: npt.NDArray[np.int32],
        scores: npt.NDArray[np.float64],
        n_rows: int,
    ) -> npt.NDArray[np.float64]:
        weights = np.zeros(n_rows)
        of_code = scores[np.searchsorted(classes, found.code)]
        if self.class_score == "max":
            np.maximum.at(weights, found.row, of_code)
            return weights
        weights += np.bincount(found.row, of_code, n_rows)
        numbers = np.bincount(found.row, minlength=n_rows)
        weights /= np.maximum(numbers, 1)
        return weights


def demand_counts(draws: int | None, max_repeats: int) -> None:
    """`UsageError` unless both are positive."""
    if (draws is not None and draws < 1) or max_repeats < 1:
        raise UsageError(f"draws and max_repeats are 1 or more, got {draws} and {max_repeats}")


def drawing_rule(draws: int | None, max_repeats: int, seed: int) -> str:
    """How the draws are made, in words."""
    number = f"{draws:,} draws" if draws else "As many draws as the pool has rows,"
    return (
        f"{number} with replacement (seed {seed}): an example that has been drawn {max_repeats} "
        "times is passed over, another takes its place. not_drawn: never drawn."
    )
