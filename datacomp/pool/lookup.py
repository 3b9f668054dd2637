"""Metadata of given uids, found by a scan of the parts' uids."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datacomp.errors import PoolError
from datacomp.pool.pool import Pool
from datacomp.pool.samples import search_uids
from datacomp.subset.uids import UidArray, argsort_uids, format_uids


def find_rows(pool: Pool, uids: UidArray, columns: Sequence[str]) -> pa.Table:
    """The first row of each uid, in the order of `uids`; a column that a part lacks is null there.

    Raises `PoolError` naming the first uid that no metadata file has.
    """
    order = argsort_uids(uids)
    wanted = uids[order]
    where = np.full(len(uids), -1, np.int64)
    tables, n_found = [], 0
    for part in pool.parts:
        place = search_uids(wanted, pool.uids(part))
        rows = np.flatnonzero(place >= 0)
        targets, first = np.unique(place[rows], return_index=True)
        new = where[targets] < 0
        where[targets[new]] = n_found + np.arange(np.count_nonzero(new))
        n_found += int(np.count_nonzero(new))
        if new.any():
            there = [column for column in columns if column in part.columns]
            tables.append(pool.read(part, there).take(rows[first[new]]))
    # A uid that is asked for twice was found at its first place only.
    where = where[search_uids(wanted, wanted)] if len(wanted) else where
    if (where < 0).any():
        uid = format_uids(wanted[where < 0][:1])[0]
        raise PoolError(f"pool {pool.url} has no row with the uid {uid}")
    found = pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    for column in columns:
        if column not in found.column_names:
            found = found.append_column(column, pa.nulls(len(found)))
    back = np.empty(len(uids), np.int64)
    back[order] = where
    return found.select(list(columns)).take(back)
