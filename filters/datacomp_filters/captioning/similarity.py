"""How alike a row's alt-text is to the captions of its picture, by the cosine of sentence vectors.

SIEVE (arXiv 2310.02110): both are masked, embedded, and compared; the score is the highest cosine
over the captions. The original's first stage also records the mean, of texts that are not masked;
here both are of masked texts. The original sets the score to 0 where the best caption is empty
after masking, but not where another one is. Here an empty text is like none: every caption that is
empty counts 0, as does an alt-text that says nothing but masked phrases; `compat="sieve"` repeats
the original's rule.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.filtering import Asset, Host, RowFunction, RowStep, runtime_field
from datacomp_filters.captioning.captioner import CAPTIONS, Captioner
from datacomp_filters.captioning.phrases import PHRASES, Compat, mask_phrases
from datacomp_filters.captioning.sentences import encoder_assets, open_encoder
from datacomp_filters.captioning.source import Captioned

Mask = Literal["medium", "none"]

HIGHEST, MEAN, BEST = "caption_similarity", "caption_similarity_mean", "best_caption"


@dataclass(frozen=True, kw_only=True)
class CaptionSimilarity(Captioned, RowStep):
    """`caption_similarity`, `caption_similarity_mean` (float32) and `best_caption`, as compared.

    Null where there is no alt-text or no picture. `encoder` is a folder of sentence-transformers,
    or owner/name@revision; its content is known to the key.
    """

    name = "caption_similarity"
    device = "either"
    tolerance = 1e-4
    rows_per_second = 60.0

    mask: Mask = "medium"
    compat: Compat = None
    encoder: str | None = runtime_field(default=None)

    def columns(self) -> tuple[str, ...]:
        """The alt-text."""
        return ("text",)

    def inputs(self) -> tuple[Captioner]:
        """The captions."""
        return (self.captions(),)

    def outputs(self) -> pa.Schema:
        """Highest and mean cosine, and the caption with the highest."""
        return pa.schema([(HIGHEST, pa.float32()), (MEAN, pa.float32()), (BEST, pa.string())])

    def assets(self) -> tuple[Asset, ...]:
        """The sentence encoder."""
        return encoder_assets(self.encoder)

    def open(self, host: Host) -> RowFunction:
        """Load the encoder."""
        encode = open_encoder(self.assets(), host.device)
        phrases = PHRASES if self.mask == "medium" else ()

        def masked(text: str) -> str:
            return mask_phrases(text, phrases, self.compat)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            texts = batch.column("text").to_pylist()
            captions = batch.column(CAPTIONS).to_pylist()
            highest: list[float | None] = [None] * len(texts)
            mean, best = list(highest), [""] * len(texts)
            rows = [i for i in range(len(texts)) if texts[i] is not None and captions[i]]
            own = [masked(texts[row]) for row in rows]
            made = [[masked(caption) for caption in captions[row]] for row in rows]
            flat = [*own, *(caption for few in made for caption in few)]
            vectors = encode(flat) if flat else np.empty((0, 0), np.float32)
            place = len(own)
            for number, (row, text, few) in enumerate(zip(rows, own, made, strict=True)):
                cosines = vectors[place : place + len(few)] @ vectors[number]
                place += len(few)
                highest[row], mean[row], best[row] = _judged(text, few, cosines, self.compat)
            nothing = np.array([score is None for score in highest], bool)
            return pa.record_batch(
                [
                    pa.array(highest, pa.float32()),
                    pa.array(mean, pa.float32()),
                    pa.array(best, pa.string(), mask=nothing),
                ],
                schema=self.outputs(),
            )

        return compute


def _judged(
    text: str, captions: list[str], cosines: npt.NDArray[np.float32], compat: Compat
) -> tuple[float, float, str]:
    """Highest and mean cosine by the rule about empty texts, and the caption with the highest."""
    if compat is None:
        said = np.array([bool(caption and text) for caption in captions])
        cosines = np.where(said, cosines, np.float32(0))
    best = int(cosines.argmax())
    highest = 0.0 if compat and not captions[best] else float(cosines[best])
    return highest, float(cosines.mean()), captions[best]
