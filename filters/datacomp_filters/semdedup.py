"""Drop images that are nearly the same as another one that is kept before them (SemDeDup).

Images are clustered by spherical k-means; within a cluster they stand in the order of their cosine
with the centroid, the lowest first, and an image is dropped if its cosine with any before it is
above 1 - eps (arXiv 2303.09540). So of near duplicates the one farthest from the centroid stays
(`keep=hard`, the published setting), or the nearest (`keep=easy`). As published, images are also
compared with those before that are dropped themselves.

What is stored is the novelty, 1 - the highest cosine with an image before it (2 for the first of a
cluster), so that eps, or the fraction to keep, can be changed at no cost.

Departures from the paper and its code. There is no default eps: the paper tunes it per data set.
Clusters: kmeans.py says how they are made; without `clusters` there is one for 8,800 rows, the
paper's ratio, 50,000 at most. Equal cosines with the centroid are ordered by uid. `fraction` keeps
the most novel, exactly, where the paper searches an eps for a size. A cluster is never split to fit
memory. An image whose embedding has no direction is not kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View, runtime_field
from datacomp.filtering.scores import Produced
from datacomp.filtering.selectors import Threshold, TopFraction
from datacomp.filtering.tree import describe
from datacomp_filters.embeddings import Encoder
from datacomp_filters.kmeans import ITERATIONS
from datacomp_filters.novelty import NOVELTY, Novelty


@dataclass(frozen=True, kw_only=True)
class SemDeDup(Filter):
    """Novelty from eps up, or the highest fraction of it: exactly one of the two."""

    name = "semdedup"
    summary = "Drop images whose embeddings nearly equal that of another in their cluster."
    example = "eps=0.05"
    reference = "arXiv 2303.09540"

    eps: float | None = None
    fraction: float | None = None
    keep: Literal["hard", "easy"] = "hard"
    clusters: int | None = None
    iterations: int = ITERATIONS
    encoder: Encoder = "l14"
    seed: int = 0
    memory_gb: float = runtime_field(default=4.0)

    def __post_init__(self) -> None:
        if (self.eps is None) == (self.fraction is None):
            raise UsageError("semdedup needs exactly one of eps and fraction")
        if self.eps is not None and not 0 <= self.eps <= 2:
            raise UsageError(f"eps is between 0 and 2, got {self.eps}")
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")
        for name, value in (("clusters", self.clusters), ("iterations", self.iterations)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is 1 or more, got {value}")
        if not self.memory_gb > 0:
            raise UsageError(f"memory_gb is above 0, got {self.memory_gb}")

    def steps(self) -> tuple[Novelty, ...]:
        """How near each image is to those before it."""
        return (
            Novelty(
                keep=self.keep,
                clusters=self.clusters,
                iterations=self.iterations,
                encoder=self.encoder,
                seed=self.seed,
                memory_gb=self.memory_gb,
            ),
        )

    def score(self) -> Produced:
        """Novelty."""
        (step,) = self.steps()
        return Produced(describe(self), step, NOVELTY)

    def rules(self) -> tuple[str, ...]:
        """The clusters, the order in them, and the cut."""
        clusters = self.clusters or "one for 8,800 rows, at most 50,000"
        first = "lowest" if self.keep == "hard" else "highest"
        cut = f"keeps rows with novelty >= {self.eps}" if self.fraction is None else "ranks by it"
        return (
            f"Spherical k-means over the {self.encoder} image embeddings, clusters: {clusters}; "
            f"in a cluster, the {first} cosine with the centroid (keep={self.keep}) comes first.",
            f"Novelty is 1 - the highest cosine with an image before; eps {cut}.",
            *self._selector().rules(),
        )

    def select(self, view: View) -> Iterable[Selection]:
        """Cut."""
        selector = self._selector()
        return selector.select(view.of(selector))

    def _selector(self) -> Threshold | TopFraction:
        if self.fraction is None:
            return Threshold(column=self.score(), minimum=self.eps)
        return TopFraction(column=self.score(), fraction=self.fraction)
