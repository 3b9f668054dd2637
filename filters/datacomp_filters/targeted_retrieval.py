"""For each class of a target, keep the pairs of the pool that fit it best.

A pair is a candidate for the classes that its caption names, or for those whose vectors its image
is near to; each class takes its best `per_class` candidates, and the subset is the union. Neural
Priming (arXiv 2306.10191, section 3) retrieves by class name and keeps what CLIP takes for that
class: by=both agree=true. The Unmet Promise of Synthetic Training Images (arXiv 2406.05184, section
3.2) retrieves by name (by=text, or by=both) or by nearness to the class's text (by=similarity),
keeps the share of each class that is most similar to its text (30% in the authors' example), and
removes what is too near to the target's images.

Departures from the papers:
- Names are found in captions as words side by side, in lower case. The authors' full-text index of
  LAION-2B does so too, but also drops accents.
- Vectors are CLIP L/14's, as the pool carries them: the mean over the target's captions of a class,
  in place of prompt templates (give those as `embeddings`), or with against=images over its images.
  Neural Priming lets every single image of the target take its ten nearest.
- by=similarity is exact, and over all rows of the pool, also in a cascade; the authors ask an
  approximate index.
- Near duplicates are found by CLIP L/14 features, not by the copy detector of the second paper, so
  that its threshold (0.604) does not carry over. None is in force unless `max_target_similarity`
  is given. Against test images nothing is removed: a target is made of training data.
- A pair that serves several classes stands in the subset once; the authors keep a copy a class.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.filtering import Filter, PartView, Selection, View, keep_unless, runtime_field
from datacomp.filtering.contract import Step
from datacomp.subset import selectors
from datacomp_filters.class_steps import (
    NAMED,
    NAMED_SIMILARITY,
    NEAR,
    NEAR_SIMILARITY,
    NEAREST,
    TARGET_SIMILARITY,
    ClassNeighbours,
    NamedClasses,
    NamedSimilarity,
    NearestClass,
    TargetSimilarity,
)
from datacomp_filters.classes import Classes
from datacomp_filters.lists import flat
from datacomp_filters.paths import anchor_paths
from datacomp_filters.per_class import TopPerClass

PER_CLASS = 10_000
"""The most that a class takes (arXiv 2406.05184, the authors' command for their filter)."""

_WHOSE = {"text": "text", "images": "mean image"}


@dataclass(frozen=True)
class Candidates:
    """Pairs of a row and a class, rows ascending: `row`, class `of`, and its `score`."""

    row: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]

    def take(self, some: npt.NDArray[np.bool_]) -> "Candidates":
        """Some of them."""
        return Candidates(self.row[some], self.of[some], self.score[some])

    def rows(self, n_rows: int) -> npt.NDArray[np.bool_]:
        """Which rows have any."""
        found = np.zeros(n_rows, bool)
        found[self.row] = True
        return found


@dataclass(frozen=True, kw_only=True)
class TargetedRetrieval(Filter):
    """`classes` (a file of names) or `target` (a labelled pool) says which classes; see above."""

    name = "targeted_retrieval"
    summary = "Keep the pairs that fit a target's classes best, so many for each class."
    example = "target=pools/trusted per_class=10"
    reference = "arXiv 2306.10191, 2406.05184"
    uses_eval_related_data = "train"

    by: Literal["text", "similarity", "both"] = "both"
    per_class: int = PER_CLASS
    share: float = 1.0
    min_similarity: float | None = None
    agree: bool = False
    against: Literal["text", "images"] = "text"
    max_target_similarity: float | None = None
    classes: str | None = runtime_field(default=None)
    target: str | None = runtime_field(default=None)
    embeddings: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        self._classes.demand(self.name, "classes", self.by != "text")
        if self.per_class < 1:
            raise UsageError(f"per_class is 1 or more, got {self.per_class}")
        if not 0 < self.share <= 1:
            raise UsageError(f"share is above 0 and at most 1, got {self.share}")
        if self.by == "text" and (self.min_similarity is not None or self.share < 1):
            raise UsageError("by=text compares no images; share and min_similarity need by=both")
        if self.agree and self.by != "both":
            raise UsageError("agree compares a name with an image: it needs by=both")
        if self.embeddings is not None and self.against == "images":
            raise UsageError("against=images takes the target's images, embeddings=FILE others")
        if self.max_target_similarity is not None and self.target is None:
            raise UsageError("max_target_similarity compares with the images of target=POOL")

    @property
    def _classes(self) -> Classes:
        return Classes(self.classes, self.target, self.embeddings, self.against)

    def steps(self) -> tuple[Step, ...]:
        """The classes of every row, and their cosines."""
        classes = {"names": self.classes, "target": self.target}
        vectors = {**classes, "embeddings": self.embeddings}
        steps: tuple[Step, ...] = ()
        if self.by == "similarity":
            steps = (ClassNeighbours(per_class=self.per_class, like=self.against, **vectors),)
        else:
            steps = (NamedClasses(**classes),)
        if self.by == "both":
            steps = (*steps, NamedSimilarity(like=self.against, **vectors))
        if self.agree:
            steps = (*steps, NearestClass(like=self.against, **vectors))
        if self.max_target_similarity is not None and self.target is not None:
            steps = (*steps, TargetSimilarity(target=self.target))
        return steps

    def rules(self) -> tuple[str, ...]:
        """The rules in the order in which a row is counted as dropped."""
        cosine = f"cosine of image and the class's {_WHOSE[self.against]}"
        rules = [
            "no_class: its image is not among the pool's "
            f"{self.per_class:,} nearest to any class, by the {cosine}."
            if self.by == "similarity"
            else "no_class: the caption names no class"
            + (", or the image has no feature." if self.by == "both" else ".")
        ]
        unlike = []
        if self.min_similarity is not None:
            unlike.append(f"the {cosine} is below {self.min_similarity:g}")
        if self.agree:
            unlike.append("another class is nearer to its image")
        if unlike:
            rules.append(f"too_unlike: for each of its classes, {', or '.join(unlike)}.")
        by = "the lowest uids" if self.by == "text" else f"the highest {cosine}"
        part = f", and among the best {self.share:.0%} of those left" if self.share < 1 else ""
        rules.append(
            f"not_in_top: for none of its classes among the {self.per_class:,} with {by}{part}; "
            "ties go to the lower uid."
        )
        if self.max_target_similarity is not None:
            rules.append(
                "near_target: its image's cosine with an image of the target is above "
                f"{self.max_target_similarity:g}."
            )
        return tuple(rules)

    def select(self, view: View) -> Iterator[Selection]:
        """Find the best of each class, then mark them."""
        n_classes = len(self._classes.in_order())
        top, first = TopPerClass(n_classes, self.per_class), 0
        counts = np.zeros(n_classes, np.int64)
        for rows in view.parts():
            found = self._fit(rows, self._candidates(rows))
            counts += np.bincount(found.of, minlength=n_classes)
            top.add(found.of, found.score, rows.uids[found.row], first + found.row)
            first += rows.n_rows
        best = top.best()
        limits = np.array([self._limit(int(n)) for n in counts], np.int64)
        chosen = np.unique(best.place[best.rank < limits[best.of]])
        first = 0
        for rows in view.parts():
            here = slice(*np.searchsorted(chosen, (first, first + rows.n_rows)))
            yield self._judge(rows, chosen[here] - first)
            first += rows.n_rows

    def _candidates(self, rows: PartView) -> Candidates:
        """What may serve a class, whatever its similarity."""
        names = (NEAR, NEAR_SIMILARITY) if self.by == "similarity" else (NAMED, NAMED_SIMILARITY)
        row, of = flat(rows.column(names[0]))
        if self.by == "text":
            return Candidates(row, of.astype(np.int64), np.zeros(len(of), np.float32))
        _, score = flat(rows.column(names[1]))
        all_named = Candidates(row, of.astype(np.int64), score.astype(np.float32))
        return all_named.take(~np.isnan(all_named.score))

    def _fit(self, rows: PartView, found: Candidates) -> Candidates:
        """Those that are similar enough to their class."""
        enough = np.ones(len(found.of), bool)
        if self.min_similarity is not None:
            enough &= found.score >= np.float32(self.min_similarity)
        if self.agree:
            nearest = rows.column(NEAREST).fill_null(-1).to_numpy()
            enough &= nearest[found.row] == found.of
        return found.take(enough)

    def _limit(self, n: int) -> int:
        """How many of n candidates a class takes at most: numpy's percentile, as the authors."""
        return selectors.share(n - 1, self.share) + 1 if n else 0

    def _judge(self, rows: PartView, chosen: npt.NDArray[np.int64]) -> Selection:
        found = self._candidates(rows)
        dropped = np.ones(rows.n_rows, bool)
        dropped[chosen] = False
        reasons = {"no_class": ~found.rows(rows.n_rows)}
        if self.min_similarity is not None or self.agree:
            reasons["too_unlike"] = ~self._fit(rows, found).rows(rows.n_rows)
        reasons["not_in_top"] = dropped
        if self.max_target_similarity is not None:
            near = rows.scores(TARGET_SIMILARITY)
            reasons["near_target"] = near > np.float32(self.max_target_similarity)
        return keep_unless(rows, reasons)
