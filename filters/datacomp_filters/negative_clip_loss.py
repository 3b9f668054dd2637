"""The negative CLIP loss of each pair of a pool among random batches (negcliploss.py)."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.filtering import Arrays, Bench, Fit, Host, RowFunction, RowStep, View
from datacomp.subset import UID_DTYPE, UidArray, parse_uids
from datacomp.subset.uids import argsort_uids, search_uids
from datacomp_filters.cosines import Cosines, Places, cosines
from datacomp_filters.embeddings import OfEncoder, Sample, Unit, feature_rows, unit_rows

TEMPERATURE = 0.01
"""Where OpenAI's CLIP ended; the authors' code."""
BATCH_SIZE = 32_768
"""OpenAI's; the authors' code."""
BATCHES = 5
"""The paper: five or more give a stable average."""
SCORE = "negcliploss"


@dataclass(frozen=True, kw_only=True)
class ReferenceBatches(OfEncoder, Fit):
    """The batches that rows are compared with, embeddings as stored.

    `images` and `captions` (batches, size, d), `uid_high` and `uid_low` (batches, size; uint64).
    Of a pool with no more usable rows than `batch_size`, one batch that holds them all. At
    768 dimensions, 3 KB a row: 0.5 GB for 5 batches of 32,768.
    """

    name = "reference_batches"
    cost = "one read of the embeddings"
    towers: ClassVar[tuple[str, ...]] = ("img", "txt")

    batch_size: int = BATCH_SIZE
    batches: int = BATCHES
    seed: int = 0

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Draw them in one pass."""
        drawn = [Sample(self.batch_size, _seed(self.seed, n)) for n in range(self.batches)]
        n_usable = 0
        for rows in view.parts():
            images, captions = (rows.feature(key) for key in self.features)
            usable = unit_rows(images)[1] & unit_rows(captions)[1]
            n_usable += int(np.count_nonzero(usable))
            for sample in drawn:
                sample.add(rows.uids[usable], images[usable], captions[usable])
            bench.tell(f"{n_usable:,} rows drawn from")
        if n_usable <= self.batch_size:
            drawn = drawn[:1]
        return {
            "images": np.stack([sample.features[0] for sample in drawn]),
            "captions": np.stack([sample.features[1] for sample in drawn]),
            "uid_high": np.stack([sample.uids["f0"] for sample in drawn]),
            "uid_low": np.stack([sample.uids["f1"] for sample in drawn]),
        }


@dataclass(frozen=True, kw_only=True)
class NegativeClipLoss(OfEncoder, RowStep):
    """The score; null for a row whose image or caption has no direction."""

    name = "negative_clip_loss"
    version = 2
    towers: ClassVar[tuple[str, ...]] = ("img", "txt")
    device = "either"
    tolerance = 1e-6
    rows_per_second = 100.0

    temperature: float = TEMPERATURE
    batch_size: int = BATCH_SIZE
    batches: int = BATCHES
    seed: int = 0

    def columns(self) -> tuple[str, ...]:
        """The uid, which tells the members of a batch."""
        return ("uid",)

    def fits(self) -> tuple[ReferenceBatches, ...]:
        """The batches."""
        return (
            ReferenceBatches(
                encoder=self.encoder,
                batch_size=self.batch_size,
                batches=self.batches,
                seed=self.seed,
            ),
        )

    def outputs(self) -> pa.Schema:
        """The score, 0 at best."""
        return pa.schema([(SCORE, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Hold the batches, in this process once."""
        (fit,) = self.fits()
        arrays = host.arrays(fit)
        # A pool without usable rows has an empty batch, and no row to compare with it.
        n_batches, size, _ = arrays["images"].shape
        batches = [_Batch.of(arrays, n, host.device) for n in range(n_batches) if size]

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            (images, seen), (captions, read) = (
                unit_rows(feature_rows(batch, key)) for key in self.features
            )
            usable = seen & read
            scores = np.zeros(len(usable), np.float32)
            if usable.any():
                uids = parse_uids(batch.column("uid"))[usable]
                scores[usable] = score(
                    uids, images[usable], captions[usable], batches, self.temperature
                )
            return pa.record_batch([pa.array(scores, mask=~usable)], names=[SCORE])

        return compute


@dataclass(frozen=True)
class _Batch:
    """A batch: its members' uids, sorted, and their places; all but the last; and the last one."""

    members: UidArray
    places: Places
    images: Cosines
    captions: Cosines
    last_image: Unit
    last_caption: Unit

    @classmethod
    def of(cls, arrays: Arrays, number: int, device: str) -> "_Batch":
        """Batch `number` of `ReferenceBatches`."""
        images, captions = arrays["images"][number], arrays["captions"][number]
        members = np.empty(len(images), UID_DTYPE)
        members["f0"], members["f1"] = arrays["uid_high"][number], arrays["uid_low"][number]
        places = argsort_uids(members)
        return cls(
            members[places],
            places,
            cosines(images[:-1], device),
            cosines(captions[:-1], device),
            unit_rows(images[-1:])[0][0],
            unit_rows(captions[-1:])[0][0],
        )

    def place(self, uids: UidArray) -> Places:
        """Where in the batch each row stands, -1 for one that it does not hold."""
        found = search_uids(self.members, uids)
        return np.where(found < 0, -1, self.places[found])


def score(
    uids: UidArray, images: Unit, captions: Unit, batches: list[_Batch], temperature: float
) -> npt.NDArray[np.float64]:
    """The score of each pair, by the formula of negcliploss.py; from products in float32.

    With c_j the products with other pairs, log sum_j exp(c_j / tau) - c_i / tau is what is summed,
    as log(1 + sum_(j != i) exp((c_j - c_i) / tau)): a pair's product with itself would come out of
    a matrix product once more, with another rounding, and of scores near 0 that alone would stay.
    """
    own = np.einsum("ij,ij->i", images, captions).astype(np.float64) / temperature
    total = np.zeros(len(own))
    for batch in batches:
        place, last = batch.place(uids), len(batch.members) - 1
        is_member = (place >= 0) & (place < last)
        without = np.where(is_member, place, -1)
        for rows, others, closing in (
            (images, batch.captions, batch.last_caption),
            (captions, batch.images, batch.last_image),
        ):
            end = np.where(is_member, rows @ closing / np.float32(temperature), -np.inf)
            sums = np.logaddexp(others.log_sums(rows, 1 / temperature, without), end)
            total += np.logaddexp(0, sums - own)
    # Not -0 of a pair that stands out from all.
    scores: npt.NDArray[np.float64] = 0 - temperature / 2 * total / len(batches)
    return scores


def _seed(seed: int, number: int) -> int:
    """A seed of its own for every batch."""
    digest = hashlib.blake2b(f"reference batch {seed} {number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
