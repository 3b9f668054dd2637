"""The parameters that FLYT and M-FLYT share: what is trained on what, and how long."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from datacomp.errors import UsageError
from datacomp.filtering import Asset, runtime_field
from datacomp.pool.manifest import FILE_NAME
from datacomp_filters.clip_source import anchor_model, find_clip
from datacomp_filters.embeddings import Encoder
from datacomp_filters.flyt.config import FlytConfig
from datacomp_filters.trusted import pool_assets

ADAPTER_RATE = 1e-3
"""Adapters on embeddings want more than a whole CLIP, whose 5e-5 is the paper's."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A base of filters, steps and fits that learn from a labelled set.

    `downstream` is a pool folder with embeddings of the pool's `encoder` and a column `label`. The
    batches, rates, warm-up and decay are the paper's (FlytConfig). The reference is a pair of
    adapters on the embeddings, or the CLIP that `reference_model` names (clip_source.py), which
    sees the pictures of both pools; without `reference_rate` its rate is 1e-3 for adapters, the
    paper's 5e-5 for a CLIP. Of a pool of more than `train_rows`
    rows, so many are drawn by uid and seed and trained on. `hidden` is the width of a second layer
    of the adapters, 0 for none; `width` what they project to, None if the two embeddings are
    equally wide. `micro_batch` bounds memory and changes no result beyond rounding.
    """

    downstream: str = dataclasses.field(metadata={"runtime": True})
    encoder: Encoder = "b32"
    training_steps: int = 5000
    upstream_batch: int = 4096
    downstream_batch: int = 3072
    reference_rate: float | None = None
    scoring_rate: float = 1e-3
    warmup_steps: int = 100
    weight_decay: float = 0.2
    hidden: int = 0
    width: int | None = None
    train_rows: int = 2_000_000
    seed: int = 0
    micro_batch: int = runtime_field(default=1024)
    reference_model: str | None = runtime_field(default=None)

    def __post_init__(self) -> None:
        if (path := Path(self.downstream).expanduser()).exists():
            object.__setattr__(self, "downstream", str(path.absolute()))
        counts = ("training_steps", "upstream_batch", "downstream_batch", "train_rows")
        for name in (*counts, "micro_batch"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is 1 or more, got {getattr(self, name)}")
        for name in ("warmup_steps", "hidden", "seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is 0 or more, got {getattr(self, name)}")
        if self.seed >= 2**63:
            raise UsageError(f"seed is below 2^63, got {self.seed}")
        for name in ("reference_rate", "scoring_rate", "weight_decay"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} is a finite number from 0 up, got {value}")
        anchor_model(cast(Any, self), "reference_model")
        if self.width is not None and self.width < 1:
            raise UsageError(f"width is 1 or more, got {self.width}")

    @property
    def embeddings(self) -> tuple[str, str]:
        """Image and text features of the pool."""
        return f"{self.encoder}_img", f"{self.encoder}_txt"

    def assets(self) -> tuple[Asset, ...]:
        """The labelled set's metadata; for a whole CLIP, its shards' record and the weights too."""
        labelled = pool_assets(self.downstream)
        if self.reference_model is None:
            return labelled
        record = Asset(name=FILE_NAME, path=Path(self.downstream) / FILE_NAME)
        recorded = (record,) if record.path.is_file() else ()
        return (*labelled, *recorded, *find_clip(self.reference_model).assets())

    @property
    def rate(self) -> float:
        """The reference's learning rate."""
        if self.reference_rate is not None:
            return self.reference_rate
        return ADAPTER_RATE if self.reference_model is None else FlytConfig().reference_rate

    def trained(self) -> Mapping[str, Any]:
        """These parameters, for another that shares them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Trained)}

    def config(self) -> FlytConfig:
        """The run."""
        return FlytConfig(
            steps=self.training_steps,
            upstream_batch=self.upstream_batch,
            downstream_batch=self.downstream_batch,
            reference_rate=self.rate,
            scoring_rate=self.scoring_rate,
            warmup_steps=self.warmup_steps,
            weight_decay=self.weight_decay,
            micro_batch=self.micro_batch,
        )

    def training_rules(self) -> tuple[str, ...]:
        """The training, in words."""
        reference = self.reference_model or "adapters"
        return (
            f"Learns from {self.downstream}, whose labels the scores are to serve.",
            f"{self.training_steps:,} steps of {self.upstream_batch:,} pairs and "
            f"{self.downstream_batch:,} labelled images; rates {self.rate:g} ({reference}), "
            f"{self.scoring_rate:g} (scores); seed {self.seed}; at most {self.train_rows:,} rows.",
        )


@dataclass(frozen=True, kw_only=True)
class OnEmbeddings(Trained):
    """A base of fits and steps that read the embeddings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # What is read is a class's, but a parameter says of which encoder, and whether pictures.
        object.__setattr__(self, "features", self.embeddings)
        object.__setattr__(self, "images", self.reference_model is not None)
