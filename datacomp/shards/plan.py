"""What a reshard would write: which samples, how often, in which output shard; and what is absent.

Entries stand in input order (shard, then place in it), a sample as often as the subset says, and
output shard k holds entries k*S to (k+1)*S. Reads the index and no shard.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from datacomp.errors import UsageError
from datacomp.pool import Pool, SampleIndex
from datacomp.pool.samples import search_uids
from datacomp.pool.tar import BLOCK
from datacomp.shards.options import Duplicates, Layout
from datacomp.shards.places import PLACES_SUFFIX
from datacomp.subset import Subset, UidArray

NAME_FORMAT, STATS_FORMAT = "{:08d}.tar", "{:08d}_stats.json"
PLACES_FORMAT = "{:08d}" + PLACES_SUFFIX
RECORD = 20 * BLOCK
"""A tar ends with two blocks of zeros and fills whole records of this size, as `tarfile`'s do."""

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Absent:
    """Entries of the subset without a sample: how many, and their different uids, sorted."""

    entries: int
    uids: UidArray
    counts: Longs


@dataclass(frozen=True, eq=False)
class Plan:
    """The samples to copy in input order.

    `positions` (n,) are rows of the index, `counts` (n,) how often each is copied. `unknown` uids
    are in no metadata file, `dead` ones are and have no sample; `outside` counts entries whose
    sample is in an input shard that was not asked for, `repeated` the uids with several samples.
    """

    pool: Pool
    index: SampleIndex
    layout: Layout
    positions: Longs
    counts: Longs
    unknown: Absent
    dead: Absent
    outside: int
    repeated: int

    @cached_property
    def ends(self) -> Longs:
        """Entries up to and with each sample."""
        return np.cumsum(self.counts)

    @property
    def n_entries(self) -> int:
        """Samples that will be written, copies counted."""
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def n_shards(self) -> int:
        """Output shards."""
        return -(-self.n_entries // self.layout.samples_per_shard)

    def bounds(self, shard: int) -> tuple[int, int]:
        """First entry of an output shard, and the one behind its last."""
        size = self.layout.samples_per_shard
        return shard * size, min((shard + 1) * size, self.n_entries)

    def samples_of(self, shard: int) -> tuple[Longs, Longs]:
        """Position and copy number (from 0) of each entry of an output shard."""
        first, last = self.bounds(shard)
        entries = np.arange(first, last, dtype=np.int64)
        sample = np.searchsorted(self.ends, entries, "right")
        return self.positions[sample], entries - (self.ends - self.counts)[sample]

    def n_bytes(self) -> Longs:
        """Size of each output shard, (n_shards,), if no header needs another form."""
        sizes = self.index.samples["span_size"][self.positions].astype(np.int64)
        before = np.concatenate([[0], np.cumsum(sizes * self.counts)])
        edges = np.minimum(
            np.arange(self.n_shards + 1) * self.layout.samples_per_shard, self.n_entries
        )
        sample = np.minimum(np.searchsorted(self.ends, edges, "right"), len(sizes) - 1)
        copies = edges - (self.ends - self.counts)[sample]
        content = np.diff(before[sample] + copies * sizes[sample])
        blocks: Longs = -(-(content + 2 * BLOCK) // RECORD) * RECORD
        return blocks


def make_plan(pool: Pool, subset: Subset, layout: Layout) -> Plan:
    """Find the entries of `subset` in the pool's shards."""
    index = pool.samples()
    uids, counts = subset.counts()
    found = index.locate(uids)
    known = _in_metadata(pool, uids[found < 0])
    absent_uids, absent_counts = uids[found < 0], counts[found < 0]
    positions, counts = found[found >= 0], counts[found >= 0]
    again = _with_next(index.uids, positions)
    repeated = int(np.count_nonzero(again))
    if layout.duplicates is Duplicates.ALL:
        positions, counts = _all_with_same_uid(index.uids, positions, counts)
    shard = index.samples["shard"][positions]
    inside = _chosen_shards(index.shards, layout)[shard]
    outside = int(counts[~inside].sum())
    positions, counts, shard = positions[inside], counts[inside], shard[inside]
    order = np.lexsort((index.samples["span_offset"][positions], shard))
    return Plan(
        pool,
        index,
        layout,
        positions[order],
        counts[order],
        unknown=_absent(absent_uids[~known], absent_counts[~known]),
        dead=_absent(absent_uids[known], absent_counts[known]),
        outside=outside,
        repeated=repeated,
    )


def _absent(uids: UidArray, counts: Longs) -> Absent:
    return Absent(int(counts.sum()), uids, counts)


def _in_metadata(pool: Pool, uids: UidArray) -> npt.NDArray[np.bool_]:
    """Which of some sorted, different uids stand in a metadata file."""
    known = np.zeros(len(uids), bool)
    if len(uids):
        for part in pool.parts:
            places = search_uids(uids, np.asarray(pool.uids(part)))
            known[places[places >= 0]] = True
    return known


def _with_next(uids: UidArray, positions: Longs) -> npt.NDArray[np.bool_]:
    """Whether the row behind each position has the same uid."""
    last = len(uids) - 1
    same: npt.NDArray[np.bool_] = uids[np.minimum(positions + 1, last)] == uids[positions]
    return (positions < last) & same


def _all_with_same_uid(uids: UidArray, positions: Longs, counts: Longs) -> tuple[Longs, Longs]:
    """The positions, and those of further samples with the same uid."""
    found, times = [positions], [counts]
    while len(positions):
        again = _with_next(uids, positions)
        positions, counts = positions[again] + 1, counts[again]
        found.append(positions)
        times.append(counts)
    return np.concatenate(found), np.concatenate(times)


def _chosen_shards(names: tuple[str, ...], layout: Layout) -> npt.NDArray[np.bool_]:
    """Which input shards are to be read, by the numbers in their names."""
    if layout.first_shard == 0 and layout.num_shards is None:
        return np.ones(len(names), bool)
    stems = [name.removesuffix(".tar") for name in names]
    odd = next((stem for stem in stems if not stem.isdecimal()), None)
    if odd is not None:
        raise UsageError(
            f"shards can be chosen by number only where all are numbered; one is named {odd}.tar"
        )
    first, n = layout.first_shard, layout.num_shards
    end = first + n if n is not None else float("inf")
    return np.array([first <= int(stem) < end for stem in stems], bool)
