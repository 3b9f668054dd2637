"""FLYT's scores of a whole pool, streamed from its stored embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError, require
from datacomp.filtering import Host, RowFunction, RowStep
from datacomp_filters.embeddings import Raw, feature_rows
from datacomp_filters.flyt.fit import FlytFit, tensors
from datacomp_filters.flyt.options import OnEmbeddings

SCORE = "flyt_score"
CPU_ROWS, CUDA_ROWS = 1024, 65_536


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
        (fit,) = self.fits()
        head = Head(host.arrays(fit), host.device)

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            raws = [feature_rows(batch, key) for key in self.embeddings]
            _demand_widths(self.embeddings, head.widths, (raws[0].shape[1], raws[1].shape[1]))
            scores = head.scores(raws[0], raws[1])
            return pa.record_batch([pa.array(scores, mask=np.isnan(scores))], names=[SCORE])

        return compute


class Head:
    """GluHead at work: its formula without gradients, in blocks that stay in a cache."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]], device: str) -> None:
        torch = require("torch", "train")
        given = tensors(arrays, device)
        self.widths = tuple(int(width) for width in arrays["widths"])
        k = sum(self.widths)
        self._rows = CUDA_ROWS if device.startswith("cuda") else CPU_ROWS
        self._both = torch.cat([given["gate.weight"], given["value.weight"]]).T.contiguous()
        self._bias = torch.cat([given["gate.bias"], given["value.bias"]])
        self._out, self._out_bias = given["out.weight"][0], given["out.bias"]
        self._x = torch.empty(self._rows, k, device=device)
        self._y = torch.empty(self._rows, 2 * k, device=device)

    def scores(self, images: Raw, texts: Raw) -> npt.NDArray[np.float32]:
        """(n,) scores of raw embeddings; NaN where one has no direction.

        One thread on a CPU: a score's bits depend on no machine's threads, and workers share it.
        """
        torch = require("torch", "train")
        found, threads = np.empty(len(images), np.float32), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                for first in range(0, len(images), self._rows):
                    block = slice(first, first + self._rows)
                    found[block] = self._block(torch, images[block], texts[block]).cpu().numpy()
        finally:
            torch.set_num_threads(threads)
        return found

    def _block(self, torch: Any, images: Raw, texts: Raw) -> Any:
        x, y = self._x[: len(images)], self._y[: len(images)]
        usable = True
        halves = x.split(self.widths, dim=1)
        for half, raw in zip(halves, (images, texts), strict=True):
            # A copy: the batch belongs to Arrow, and may be read-only.
            half.copy_(torch.from_numpy(np.array(raw)))
            norms = torch.linalg.vector_norm(half, dim=1, keepdim=True)
            half.div_(norms)
            usable &= torch.isfinite(norms[:, 0]) & (norms[:, 0] > 0)
        torch.addmm(self._bias, x, self._both, out=y)
        gate, value = y.chunk(2, dim=1)
        torch.nn.functional.silu(gate, inplace=True).mul_(value)
        scores = torch.mv(gate, self._out) + self._out_bias
        return torch.where(usable, scores, torch.nan)


def _demand_widths(keys: tuple[str, ...], wanted: tuple[int, ...], found: tuple[int, int]) -> None:
    if wanted != found:
        raise FilterError(
            f"{' and '.join(keys)} of this part have {found[0]} and {found[1]} dimensions, the "
            f"head was trained on {wanted[0]} and {wanted[1]}"
        )
