"""Keep pairs that are neither easy nor hopeless: a band of EL2N, averaged over several CLIPs.

EL2N (arXiv 2107.07075, definition 3.1) is the length of the error vector, ||softmax(f(x)) - y||_2,
averaged over networks early in training. The analogue for pairs: in a batch, the softmax of a
picture's similarities with all captions, less 1 at its own caption; and the same for the caption
over the pictures. Easy pairs score low; in web data, what scores highest is mostly mislabelled. So
both tails are dropped.

Departures. The paper is about labelled images and keeps the highest scores, save for a few on noisy
labels; `low` and `high` have no values in it, hence none here. A batch would make a row's score
depend on its neighbours: the other pairs of "the batch" are a fixed sample of the pool, the
`references` rows that their uids and the `seed` draw, so that a score depends on the row, the seed
and that sample. A row of the sample is not compared with itself. The two directions are averaged,
as in CLIP's loss, at each model's own logit scale. The paper takes checkpoints of ten networks
after a few epochs; a run of `datacomp train` keeps its last one, so that "early" means a short run:
give several of a small scale, with different seeds.
"""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import UsageError
from datacomp.filtering import (
    Arrays,
    Bench,
    Filter,
    Fit,
    Host,
    PartView,
    RowFunction,
    RowStep,
    Selection,
    View,
    keep_unless,
    runtime_field,
)
from datacomp.filtering.contract import Step
from datacomp.filtering.scores import Expression, Fuse, Produced
from datacomp.filtering.tree import describe
from datacomp.subset import UID_DTYPE, UidArray, parse_uids
from datacomp.subset.cuts import Scores
from datacomp.subset.selectors import share, uid_draws
from datacomp.subset.uids import search_uids
from datacomp_filters.clip_model import ClipEmbedding, cosines, normalised, scores_column, vectors
from datacomp_filters.clip_source import Vectors, anchor_model

EL2N = "el2n"
_ROWS = 1024
"""Rows compared with the sample at a time: 1,024 of 4,095 are 17 MB of similarities."""


@dataclass(frozen=True, kw_only=True)
class ReferenceSample(Fit):
    """The embeddings of a sample of the pool: the rows with the lowest draws of uid and seed.

    `images` and `texts` (r, d) float32 of unit length, `uids` (r, 2) uint64, `logit_scale` (1,)
    float32, sorted by uid. Rows without both embeddings are passed over; a uid is taken once.
    """

    name = "el2n_reference_sample"
    cost = "seconds, after the pool's embeddings"

    references: int
    seed: int
    model: str = runtime_field(default=MISSING)

    def inputs(self) -> tuple[ClipEmbedding, ...]:
        """The embeddings."""
        return (ClipEmbedding(model=self.model),)

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Draw, part by part."""
        (embedding,) = self.inputs()
        names, width = (embedding.image, embedding.text), embedding.source.embed_dim
        uids = np.empty(0, UID_DTYPE)
        held = np.empty((0, 2, width), np.float32)
        for rows in view.parts():
            found = np.stack([normalised(vectors(rows.column(name))) for name in names], axis=1)
            there = np.isfinite(found).all(axis=(1, 2))
            uids = np.concatenate([uids, rows.uids[there]])
            held = np.concatenate([held, found[there]])
            # Rows that share a uid stand in no order of their own; whichever, but always the same.
            order = np.lexsort((held.sum(axis=(1, 2)), uids["f1"], uids["f0"]))
            uids, first = np.unique(uids[order], return_index=True)
            draws = np.argsort(uid_draws(uids, self.seed), kind="stable")
            lowest = np.sort(draws[: self.references])
            uids, held = uids[lowest], held[order[first[lowest]]]
        scale = embedding.source.load("cpu").logit_scale
        return {
            "images": held[:, 0],
            "texts": held[:, 1],
            "uids": np.stack([uids["f0"], uids["f1"]], axis=1),
            "logit_scale": np.array([scale], np.float32),
        }


@dataclass(frozen=True, kw_only=True)
class El2nScore(RowStep):
    """EL2N (float32, 0 to sqrt 2), averaged over directions and models; null if one has none."""

    name = "el2n_score"
    tolerance = 1e-4
    rows_per_second = 10_000.0

    references: int
    seed: int
    models: str = runtime_field(default=MISSING)

    def columns(self) -> tuple[str, ...]:
        """The uid, since a row is not its own negative."""
        return ("uid",)

    def inputs(self) -> tuple[ClipEmbedding, ...]:
        """The embeddings by every model."""
        return tuple(ClipEmbedding(model=model) for model in self.models.split(","))

    def fits(self) -> tuple[ReferenceSample, ...]:
        """The sample's embeddings by every model."""
        return tuple(
            ReferenceSample(references=self.references, seed=self.seed, model=model)
            for model in self.models.split(",")
        )

    def outputs(self) -> pa.Schema:
        """The score."""
        return pa.schema([(EL2N, pa.float32())])

    def open(self, host: Host) -> RowFunction:
        """Read the samples."""
        schema = self.outputs()
        compared = [
            (embedding, _Sample(host.arrays(fit)))
            for embedding, fit in zip(self.inputs(), self.fits(), strict=True)
        ]

        def compute(batch: pa.RecordBatch) -> pa.RecordBatch:
            uids = parse_uids(batch.column("uid"))
            total = np.zeros(batch.num_rows, np.float32)
            for embedding, sample in compared:
                images = normalised(vectors(batch.column(embedding.image)))
                texts = normalised(vectors(batch.column(embedding.text)))
                for start in range(0, batch.num_rows, _ROWS):
                    rows = slice(start, start + _ROWS)
                    total[rows] += sample.el2n(images[rows], texts[rows], uids[rows])
            return pa.record_batch(
                [scores_column((total / len(compared)).astype(np.float32))], schema=schema
            )

        return compute


@dataclass(frozen=True, kw_only=True)
class El2n(Filter):
    """What is left when the `low` lowest and the `high` highest of the scored rows are dropped.

    `models` are CLIPs as clip_source.py tells, apart by commas.
    """

    name = "el2n"
    summary = "Drop the pairs that CLIPs find easiest, and those they find hardest."
    reference = "arXiv 2107.07075"
    example = "models=runs/one,runs/two low=0.1 high=0.3"

    low: float
    high: float
    models: str = runtime_field(default=MISSING)
    references: int = 4095
    seed: int = 0

    def __post_init__(self) -> None:
        anchor_model(self, "models")
        models = self.models.split(",")
        if twice := [a for a, b in pairwise(sorted(models)) if a == b]:
            raise UsageError(f"models names {twice[0]!r} twice; an average counts each once")
        if not (self.low >= 0 and self.high >= 0 and self.low + self.high <= 1):
            raise UsageError(
                "low and high are shares of the rows, 0 or more and together at most 1, got "
                f"low={self.low}, high={self.high}"
            )
        if self.references < 1:
            raise UsageError(f"references is 1 or more, got {self.references}")

    def steps(self) -> tuple[Step, ...]:
        """The score."""
        return (self._step(),)

    def rules(self) -> tuple[str, ...]:
        """What is compared, and what is dropped."""
        return (
            f"EL2N of each pair against {self.references:,} pairs of the pool, drawn by uid (seed "
            f"{self.seed}), averaged over {len(self.models.split(','))} models: {self.models}.",
            "no_score: no picture, no caption, no finite vector, or no other pair. Not in N.",
            f"too_easy: among the floor(N * {self.low}) lowest of N scores; the lower uid first.",
            f"too_hard: among the floor(N * {self.high}) highest.",
        )

    def score(self) -> Expression:
        """EL2N, the sign turned: what is easy ranks first."""
        return Fuse("zscore", ((-1.0, Produced(describe(self), self._step(), EL2N)),))

    def select(self, view: View) -> Iterator[Selection]:
        """Cut off both tails."""
        n = sum(int(np.count_nonzero(~np.isnan(_easiness(rows)))) for rows in view.parts())
        easy = view.cut(_easiness, share(n, self.low))
        rest = view.cut(_easiness, n - share(n, self.high))
        for rows in view.parts():
            scores, uids = _easiness(rows), partial(getattr, rows, "uids")
            reasons = {
                "no_score": np.isnan(scores),
                "too_easy": easy.keeps(scores, uids),
                "too_hard": ~rest.keeps(scores, uids),
            }
            yield keep_unless(rows, reasons)

    def _step(self) -> El2nScore:
        return El2nScore(references=self.references, seed=self.seed, models=self.models)


class _Sample:
    """The reference sample by one model."""

    def __init__(self, arrays: Arrays) -> None:
        self.images, self.texts = arrays["images"], arrays["texts"]
        self.scale = np.float32(arrays["logit_scale"][0])
        self.uids = np.empty(len(self.images), UID_DTYPE)
        self.uids["f0"], self.uids["f1"] = arrays["uids"].T

    def el2n(self, images: Vectors, texts: Vectors, uids: UidArray) -> npt.NDArray[np.float32]:
        """The mean over the two directions, NaN without anything to compare with.

        Vectors are of unit length, NaN where there is none.
        """
        found = np.full(len(images), np.nan, np.float32)
        own = self.scale * cosines(images, texts)
        there = np.isfinite(own)
        place = search_uids(self.uids, uids[there])
        itself = np.flatnonzero(place >= 0)
        lengths = []
        for rows, sample in ((images, self.texts), (texts, self.images)):
            others = self.scale * (rows[there] @ sample.T)
            others[itself, place[itself]] = -np.inf
            lengths.append(error_length(own[there], others))
        alone = len(self.uids) - (place >= 0) == 0
        found[there] = np.where(alone, np.nan, (lengths[0] + lengths[1]) / 2)
        return found


def error_length(own: Vectors, others: Vectors) -> npt.NDArray[np.float32]:
    """||softmax([own, others]) - [1, 0, ...]||_2 by row: logits (n,) and (n, r) to (n,) float32."""
    highest = np.maximum(own, others.max(axis=1, initial=-np.inf))
    mine, theirs = np.exp(own - highest), np.exp(others - highest[:, None])
    rest = theirs.sum(axis=1)
    # 1 - mine / total, without cancellation.
    missing = rest / (mine + rest)
    squares = np.einsum("nr,nr->n", theirs, theirs) / (mine + rest) ** 2
    return np.asarray(np.sqrt(missing**2 + squares), np.float32)


def _easiness(rows: PartView) -> Scores:
    return -rows.scores(EL2N)
