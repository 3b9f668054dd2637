"""Uids, subsets (multisets of uids) and the pure rules that turn scores into rows.

    subset = Subset.from_uids(parse_uids(table["uid"]))
    write_subset(subset, Path("mine.npy"), {"made_by": "me"})

Knows nothing of pools or filters.
"""

from datacomp.subset.algebra import intersect, minus, sample, union
from datacomp.subset.blocks import SubsetFacts, read_lock
from datacomp.subset.subset import Subset, read_subset, write_subset
from datacomp.subset.uids import (
    UID_DTYPE,
    UidArray,
    argsort_uids,
    format_uids,
    parse_uids,
    sort_uids,
)

__all__ = [
    "UID_DTYPE",
    "Subset",
    "SubsetFacts",
    "UidArray",
    "argsort_uids",
    "format_uids",
    "intersect",
    "minus",
    "parse_uids",
    "read_lock",
    "read_subset",
    "sample",
    "sort_uids",
    "union",
    "write_subset",
]
