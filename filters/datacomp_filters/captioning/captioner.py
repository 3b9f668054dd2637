"""What every captioner shares: k captions for each picture, drawn by the row's uid and a seed.

Captions are stored as they are, so that sentence encoders and masked phrases can be changed without
captioning again. Pictures go through the model in passes of one fixed size, filled up with copies,
so that a row's captions do not depend on its neighbours: matrix products of one shape sum in one
order.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from datacomp.errors import UsageError, require
from datacomp.filtering import Host, ImageFunction, ImageStep
from datacomp.pool.schema import UID
from datacomp.subset.uids import parse_uids
from datacomp_filters.captioning.sampling import NextLogits, Sampling, sample, uniform_numbers

if TYPE_CHECKING:
    from PIL.Image import Image

CAPTIONS = "captions"
CAPTIONS_A_PICTURE = 8
"""SIEVE's k: hard-coded in its copy of BLIP, and the number in the paper."""


class Speaker(ABC):
    """A loaded captioner: the tokens it starts from and ends at, what it sees, how it spells."""

    prompt: tuple[int, ...]
    end: int

    @abstractmethod
    def look(self, images: "Sequence[Image]", copies: int) -> NextLogits:
        """Encode RGB pictures, each of which is captioned `copies` times, copies side by side."""

    @abstractmethod
    def spell(self, tokens: list[int]) -> str:
        """The caption of tokens after the prompt."""


@dataclass(frozen=True, kw_only=True)
class Captioner(ImageStep):
    """Column `captions`: a list of `k` strings for each row with a picture, null for the others."""

    sampling: ClassVar[Sampling]
    pictures_a_pass: ClassVar[int]

    k: int = CAPTIONS_A_PICTURE
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k is the number of captions of a picture, 1 or more, got {self.k}")

    def columns(self) -> tuple[str, ...]:
        """The uid, which randomness comes from."""
        return (UID,)

    def outputs(self) -> pa.Schema:
        """The captions, in the order in which they were drawn."""
        return pa.schema([(CAPTIONS, pa.list_(pa.string()))])

    @abstractmethod
    def speaker(self, host: Host) -> Speaker:
        """Load the model."""

    def open(self, host: Host) -> ImageFunction:
        """Load the model."""
        torch = require("torch", "train")
        speaker = self.speaker(host)
        steps = self.sampling.max_length - len(speaker.prompt)

        def compute(batch: pa.RecordBatch, images: "Sequence[Image | None]") -> pa.RecordBatch:
            captions: list[list[str] | None] = [None] * batch.num_rows
            rows = [row for row, image in enumerate(images) if image is not None]
            uids = parse_uids(batch.column(UID))
            for start in range(0, len(rows), self.pictures_a_pass):
                seen = rows[start : start + self.pictures_a_pass]
                filled = seen + seen[-1:] * (self.pictures_a_pass - len(seen))
                pictures = [image for image in map(images.__getitem__, filled) if image is not None]
                uniforms = uniform_numbers(uids[filled], self.seed, self.k, steps)
                with torch.inference_mode():
                    logits = speaker.look(pictures, self.k)
                    drawn = sample(logits, speaker.prompt, speaker.end, self.sampling, uniforms)
                for place, row in enumerate(seen):
                    own = drawn[place * self.k : (place + 1) * self.k]
                    captions[row] = [speaker.spell(tokens) for tokens in own]
            column = pa.array(captions, self.outputs().field(CAPTIONS).type)
            return pa.record_batch([column], schema=self.outputs())

        return compute
