"""The indexes of all shards as one, sorted by uid; samples with one uid stay in shard order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.pool.samples import SAMPLE_DTYPE, empty_uids
from datacomp.pool.shard_index import ShardIndex
from datacomp.subset.uids import UidArray, argsort_uids, starts_of_runs


@dataclass(frozen=True)
class MergedIndex:
    """Three arrays with one row per sample (see `samples.SAMPLE_DTYPE`)."""

    uids: UidArray
    samples: npt.NDArray[Any]
    keys: npt.NDArray[np.bytes_]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays by the names of their files."""
        return {"uids": self.uids, "samples": self.samples, "keys": self.keys}


def merge(shards: Sequence[ShardIndex]) -> MergedIndex:
    """Put the shards' indexes together; their order is the shards' numbers."""
    uids = np.concatenate([empty_uids(), *(shard.uids for shard in shards)])
    samples = np.concatenate([np.empty(0, SAMPLE_DTYPE), *(shard.samples for shard in shards)])
    keys = np.concatenate([np.empty(0, "S1"), *(shard.keys for shard in shards)])
    samples["shard"] = np.repeat(np.arange(len(shards)), [len(shard.uids) for shard in shards])
    order = _stable_order(uids)
    return MergedIndex(uids[order], samples[order], keys[order])


def _stable_order(uids: UidArray) -> npt.NDArray[np.int64]:
    """Positions that sort the uids, equal ones in the order in which they came."""
    order = argsort_uids(uids)
    if not len(uids):
        return order
    run = np.cumsum(starts_of_runs(uids[order]))
    repeated = np.flatnonzero(np.bincount(run)[run] > 1)
    rows = order[repeated]
    order[repeated] = rows[np.lexsort((rows, run[repeated]))]
    return order
