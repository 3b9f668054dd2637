"""Keep pairs whose caption fits the picture when the writing in it is painted over.

T-MARS (arXiv 2307.03132, section 4): find text in the picture, fill it with the surrounding colour,
score the masked picture against the caption by CLIP, keep the highest. A picture that fits only
because its caption is written in it falls; one that shows its subject beside some writing stays.
Where writing covers nearly everything, little is left to fit, and the pair ranks low: the paper has
no rule of its own for it, and neither has this.

Departures. The paper detects text by FAST (fast_tiny, 512 x 512, squeezed), this by rapidocr's
detector at the picture's own proportions (text_boxes.py), whose model installs with pip. The
authors published no masking code; the infill's rule is written out in masking.py. Scores are by
`model`; the paper takes OpenAI's ViT-B/32. A picture without text is not embedded again: its score
is its CLIP similarity, from the vectors that `clip_score` stores. `tallest` is not in the paper: a
region taller than that share of the picture's shorter side is left as it is. 1 leaves none out; on
drawings of a single object a detector of letters takes the drawing for one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from datacomp.errors import UsageError
from datacomp.filtering import (
    Filter,
    Host,
    ImageFunction,
    ImageStep,
    Selection,
    View,
    runtime_field,
)
from datacomp.filtering.contract import Step
from datacomp.filtering.scores import Produced
from datacomp.filtering.selectors import TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.clip_model import ClipEmbedding, cosines, scores_column, vectors
from datacomp_filters.clip_source import Clip, anchor_model
from datacomp_filters.masking import fill_regions, height
from datacomp_filters.text_boxes import BOXES, TextBoxes

MASKED = "masked_similarity"


@dataclass(frozen=True, kw_only=True)
class MaskedSimilarity(ImageStep):
    """The cosine (float32) of the masked picture and the caption; null where either is missing."""

    name = "masked_similarity"
    device = "either"
    tolerance = 2e-3
    rows_per_second = 300.0

    side: int
    max_upscale: float
    box_threshold: float
    tallest: float
    model: str = runtime_field(default=MISSING)

    def inputs(self) -> tuple[Step, ...]:
        """Where text is, and the vectors of caption and unmasked picture."""
        boxes = TextBoxes(
            side=self.side, max_upscale=self.max_upscale, box_threshold=self.box_threshold
        )
        return (boxes, ClipEmbedding(model=self.model))

    def outputs(self) -> pa.Schema:
        """The cosine."""
        return pa.schema([(MASKED, pa.float32())])

    def open(self, host: Host) -> ImageFunction:
        """Load the model."""
        embedding, schema = ClipEmbedding(model=self.model), self.outputs()
        clip = embedding.source.load(host.device)

        def compute(batch: pa.RecordBatch, images: Sequence[Image.Image | None]) -> pa.RecordBatch:
            pictures = vectors(batch.column(embedding.image))
            texts = vectors(batch.column(embedding.text))
            masked = self._masked(batch.column(BOXES).to_pylist(), images)
            _replace(pictures, masked, clip)
            return pa.record_batch([scores_column(cosines(pictures, texts))], schema=schema)

        return compute

    def _masked(
        self, boxes: Sequence[Any], images: Sequence[Image.Image | None]
    ) -> dict[int, Image.Image]:
        """The pictures that have writing, by row, with it painted over."""
        masked = {}
        for row, (image, regions) in enumerate(zip(images, boxes, strict=True)):
            if image is not None:
                limit = self.tallest * min(image.size)
                low = [corners for corners in regions if height(corners) <= limit]
                if low:
                    masked[row] = fill_regions(image, low)
        return masked


@dataclass(frozen=True, kw_only=True)
class TMars(Filter):
    """The highest `fraction` by masked similarity; the detector's parameters: text_boxes.py."""

    name = "tmars"
    summary = "Keep pairs that fit with the writing in the picture painted over."
    reference = "arXiv 2307.03132"
    example = "model=runs/my-clip fraction=0.3"

    fraction: float
    model: str = runtime_field(default=MISSING)
    side: int = 512
    max_upscale: float = 2.0
    box_threshold: float = 0.5
    tallest: float = 1.0

    def __post_init__(self) -> None:
        anchor_model(self)
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        if self.side < 32 or self.max_upscale <= 0:
            raise UsageError(
                "side is 32 or more and max_upscale above 0, got "
                f"side={self.side}, max_upscale={self.max_upscale}"
            )
        if not 0 <= self.box_threshold <= 1 or not 0 < self.tallest <= 1:
            raise UsageError(
                "box_threshold is between 0 and 1, tallest above 0 and up to 1, got "
                f"box_threshold={self.box_threshold}, tallest={self.tallest}"
            )

    def steps(self) -> tuple[Step, ...]:
        """The masked similarity."""
        return self.score().steps()

    def rules(self) -> tuple[str, ...]:
        """What is looked for, what is painted over, and the cut."""
        taller = (
            ""
            if self.tallest == 1
            else f", none taller than {self.tallest} x the picture's shorter side"
        )
        return (
            f"Writing: rapidocr's regions of probability {self.box_threshold} or more{taller}; "
            f"pictures at most {self.side} px long, enlarged at most {self.max_upscale} times.",
            "Each region takes the mean colour around it; the masked picture is scored against "
            f"the caption by {self.model}.",
            f"Keeps exactly the floor(N * {self.fraction}) highest of N rows; ties go to the lower "
            "uid. below_cut: not among them.",
            "no_score: no picture, no caption, or no finite vector. It counts in N.",
        )

    def score(self) -> Produced:
        """The masked similarity."""
        step = MaskedSimilarity(
            side=self.side,
            max_upscale=self.max_upscale,
            box_threshold=self.box_threshold,
            tallest=self.tallest,
            model=self.model,
        )
        return Produced(describe(self), step, MASKED)

    def select(self, view: View) -> Iterator[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> TopFraction:
        return TopFraction(column=self.score(), fraction=self.fraction)


def _replace(pictures: Any, masked: dict[int, Image.Image], clip: Clip) -> None:
    """Put the vectors of masked pictures in place, rounded as stored ones are."""
    if masked:
        with np.errstate(over="ignore"):
            found = clip.encode_image(list(masked.values())).astype(np.float16)
        pictures[list(masked)] = np.where(np.isfinite(found), found, np.nan)
