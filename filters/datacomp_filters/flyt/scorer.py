"""FLYT's scores of a whole pool, streamed from its stored embeddings."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError, require
from datacomp.filtering import Host, RowFunction, RowStep
from datacomp_filters.embeddings import BLOCK_ROWS, feature_rows, unit_rows
from datacomp_filters.flyt.fit import FlytFit, tensors
from datacomp_filters.flyt.options import OnEmbeddings

SCORE = "flyt_score"


@dataclass(frozen=True, kw_only=True)
class FlytScore(OnEmbeddings, RowStep):
    """The head's score (float32) of each row; null where an embedding has no direction."""

    name = "flyt_score"
    device = "either"
    tolerance = 1e-5
    rows_per_second = 20_000.0

    def assets(self) -> tuple[()]:
        """None: what the fit was made with is in the fit's key."""
        return ()

    def fits(self) -> tuple[FlytFit, ...]:
        """The training."""
        return (FlytFit(**self.trained()),)

    def outputs(self) -> pa.Schema:
        """The score."""
        return pa.schema([(SCORE, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Load the head."""
        torch = require("torch", "train")
        from datacomp_filters.flyt.heads import GluHead

        (fit,) = self.fits()
        arrays = host.arrays(fit)
        widths = tuple(int(width) for width in arrays["widths"])
        head, parameters = GluHead(*widths), tensors(arrays, host.device)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            raws = [feature_rows(batch, key) for key in self.embeddings]
            _demand_widths(self.embeddings, widths, (raws[0].shape[1], raws[1].shape[1]))
            scores = np.empty(len(batch), np.float32)
            missing = np.empty(len(batch), bool)
            for first in range(0, len(batch), BLOCK_ROWS):
                block = slice(first, first + BLOCK_ROWS)
                (image, has_image), (text, has_text) = (unit_rows(raw[block]) for raw in raws)
                inputs = torch.from_numpy(np.concatenate([image, text], 1)).to(host.device)
                with torch.inference_mode():
                    scores[block] = head.scores(parameters, inputs).cpu().numpy()
                missing[block] = ~(has_image & has_text)
            return pa.record_batch([pa.array(scores, mask=missing)], names=[SCORE])

        return compute


def _demand_widths(keys: tuple[str, ...], wanted: tuple[int, ...], found: tuple[int, int]) -> None:
    if wanted != found:
        raise FilterError(
            f"{' and '.join(keys)} of this part have {found[0]} and {found[1]} dimensions, the "
            f"head was trained on {wanted[0]} and {wanted[1]}"
        )
