"""Keep pairs whose alt-text is like captions that a captioner gives to the picture (SIEVE).

arXiv 2310.02110: a captioner that learned on small, clean data captions each picture k = 8 times,
drawn by nucleus sampling; phrases such as "a photo of" are masked in alt-text and captions; the
score is the highest cosine of their sentence vectors (all-MiniLM-L6-v2). Paper and README fuse it
with CLIP score, half and half after min-max scaling over the pool, and keep the top 20 %;
`clip_weight=0` is SIEVE alone. What is written into a picture does not make its captions like it.

Departures from the authors' code. Captioner: see captioning/blip.py for the weights, the default
being BLIP as the hub has it instead of the 14M one; `captioner=coca` takes any CoCa of open_clip,
and `captioner=small` trains one on `trusted` for pools of small pictures. Captions are drawn by uid
and `seed`, where the original has no seed. Masking removes whole words and tidies white space, and
empty texts count 0; the original removes inside of words too, and tests only the best caption for
emptiness. Exactly the fraction is kept, where the original keeps one row more, and all ties. These
three are the original's under `compat="sieve"`. N counts all rows of the pool, in the original
those whose picture was had. Scores are kept by uid, not by a shard's keys.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View, runtime_field
from datacomp.filtering.contract import Step
from datacomp.filtering.scores import Expression, Fuse, PoolColumn, Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.captioning.phrases import PHRASES, Compat
from datacomp_filters.captioning.similarity import HIGHEST, MEAN, CaptionSimilarity, Mask
from datacomp_filters.captioning.source import Captioned
from datacomp_filters.paths import anchor_paths

FRACTION = 0.2  # The authors' README, for SIEVE and for SIEVE with CLIP score.
CLIP_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class Sieve(Captioned, Filter):
    """The highest fraction of `1 - clip_weight` of SIEVE and `clip_weight` of a CLIP score."""

    name = "sieve"
    summary = "Keep pairs whose alt-text is like captions that a model gives to the picture."
    reference = "arXiv 2310.02110"
    example = "clip_weight=0.5"
    waives: ClassVar[Mapping[str, str]] = {
        "odd_rows": "infinite CLIP scores are refused: min-max has no answer for them"
    }

    fraction: float = FRACTION
    clip_weight: float = CLIP_WEIGHT
    column: str = "clip_l14_similarity_score"
    over: Literal["max", "mean"] = "max"
    mask: Mask = "medium"
    compat: Compat = None
    encoder: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        anchor_paths(self)
        self.demand_captioner()
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        if not 0 <= self.clip_weight <= 1:
            raise UsageError(f"clip_weight is between 0 and 1, got {self.clip_weight}")

    def columns(self) -> tuple[str, ...]:
        """The CLIP score, unless it has no weight."""
        return self.score().columns()

    def steps(self) -> tuple[Step, ...]:
        """The similarity of alt-text and captions."""
        return self.score().steps()

    def score(self) -> Expression:
        """The similarity, fused with CLIP score."""
        similarity, clip = self._parts()
        if not self.clip_weight:
            return similarity
        return Fuse("minmax", ((1 - self.clip_weight, similarity), (self.clip_weight, clip)))

    def rules(self) -> tuple[str, ...]:
        """What is compared with what, and which cut is in force."""
        masked = f"Masked in both: {', '.join(PHRASES)}." if self.mask == "medium" else "No mask."
        cut = (
            "Keeps exactly the n highest scores, ties going to the lower uid. The original keeps "
            "n+1 rows and all ties: compat=sieve."
        )
        if self.compat:
            cut = "Keeps scores from the (n+1)-th highest up, all ties included (compat=sieve)."
        return (
            f"{self.captioner_rule()}; {self.k} captions, drawn by uid and seed {self.seed}.",
            masked,
            f"Score: {self.score()}.",
            f"n = floor(N * {self.fraction}) of the pool's N rows. {cut}",
            "A row without picture, alt-text or score counts in N and is never kept.",
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        whole = self._selector(self.score())
        # Nothing can be fused with scores that no row has, and nothing has to be: no row is kept.
        parts = self._parts() if self.clip_weight else ()
        blank = next((part for part in parts if not _any_score(part, view.of(whole))), None)
        selector = whole if blank is None else self._selector(blank)
        return selector.select(view.of(selector))

    def _selector(self, score: Expression) -> TopFraction:
        return TopFraction(
            column=score,
            fraction=self.fraction,
            compat="datacomp" if self.compat else None,
        )

    def _parts(self) -> tuple[Expression, Expression]:
        column = HIGHEST if self.over == "max" else MEAN
        return Produced(describe(self), self._similarity(), column), PoolColumn(self.column)

    def _similarity(self) -> CaptionSimilarity:
        return CaptionSimilarity(
            captioner=self.captioner,
            k=self.k,
            seed=self.seed,
            pixels=self.pixels,
            captioner_steps=self.captioner_steps,
            captioner_model=self.captioner_model,
            trusted=self.trusted,
            mask=self.mask,
            compat=self.compat,
            encoder=self.encoder,
        )


def _any_score(score: Expression, view: View) -> bool:
    read = score.open(view)
    return any(bool((~np.isnan(read(rows))).any()) for rows in view.parts())
