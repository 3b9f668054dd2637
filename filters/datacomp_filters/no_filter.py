"""Keep every row: the pool as it is (DataComp, Table 3, "No filtering")."""

from collections.abc import Iterator
from dataclasses import dataclass

from datacomp.filtering import Filter, Selection, View, keep_unless


@dataclass(frozen=True, kw_only=True)
class NoFilter(Filter):
    """All rows; a uid that stands in the pool twice stands in the subset twice."""

    name = "no_filter"
    summary = "Keep every row."
    reference = "arXiv 2304.14108"

    def select(self, view: View) -> Iterator[Selection]:
        """Keep all."""
        for rows in view.parts():
            yield keep_unless(rows, {})
