"""Keep a random fraction, drawn by a hash of uid and seed: the baseline of equal size.

Which rows are drawn depends on uids and seed alone, not on row order or on how the pool is cut
into parts. The paper's random subsets were drawn otherwise, so theirs are other rows.
"""

from dataclasses import dataclass

from datacomp.errors import UsageError
from datacomp.filtering import Filter, Selection, View, keep_unless
from datacomp.subset.selectors import random_rows, share


@dataclass(frozen=True, kw_only=True)
class Random(Filter):
    """Exactly floor(N * fraction) rows of N."""

    name = "random"
    summary = "Keep a random fraction of the rows."
    example = "fraction=0.5"

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

    def select(self, view: View) -> Selection:
        """Draw."""
        drawn = random_rows(view.uids, share(len(view.uids), self.fraction), self.seed)
        return keep_unless(view.uids, {"not_drawn": ~drawn})
