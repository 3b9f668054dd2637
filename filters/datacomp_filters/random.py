"""Keep a random fraction, drawn by a hash of uid and seed: the baseline of equal size.

Which rows are drawn depends on uids and seed alone, not on row order or on how the pool is cut
into parts; rows with the same uid are drawn together. The paper's random subsets were drawn
otherwise, so theirs are other rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from datacomp.errors import UsageError
from datacomp.filtering import Filter, PartView, Selection, View, keep_unless
from datacomp.subset.cuts import Scores
from datacomp.subset.selectors import share, uid_draws


@dataclass(frozen=True, kw_only=True)
class Random(Filter):
    """Exactly floor(N * fraction) rows of N."""

    name = "random"
    summary = "Keep a random fraction of the rows."
    example = "fraction=0.5"
    reference = "arXiv 2304.14108"

    fraction: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise UsageError(f"fraction is between 0 and 1, got {self.fraction}")

    def rules(self) -> tuple[str, ...]:
        """The draw, in words."""
        return (
            f"Keeps exactly floor(N * {self.fraction}) of N rows: those whose uids hash lowest "
            f"under seed {self.seed}.",
        )

    def select(self, view: View) -> Iterator[Selection]:
        """Draw."""
        cut = view.cut(self._draws, share(view.n_rows, self.fraction))
        for rows in view.parts():
            drawn = cut.keeps(self._draws(rows), partial(getattr, rows, "uids"))
            yield keep_unless(rows, {"not_drawn": ~drawn})

    def _draws(self, rows: PartView) -> Scores:
        """High where the hash is low."""
        return ~uid_draws(rows.uids, self.seed)
