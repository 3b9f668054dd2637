"""How a download went, counted over all its shards, those of earlier runs included."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from datacomp.pool.download.plan import OURS, ShardTask
from datacomp.pool.download.statuses import group


@dataclass(frozen=True)
class Summary:
    """Counts of rows (all of the metadata, tried, succeeded, failed by reason) and of hashes.

    `hashes_compared` counts pictures for which the metadata has a sha256. `bytes` is the size of
    the shards, `seconds` the time of the last run; `shard_errors` names shards that failed.
    """

    rows: int
    rows_tried: int
    succeeded: int
    failures: Mapping[str, int]
    hashes_compared: int
    hash_mismatches: int
    shards: int
    shards_done: int
    shard_errors: Mapping[str, str]
    bytes: int
    seconds: float

    @property
    def success_rate(self) -> float:
        """Pictures per row tried, 0 if none was."""
        return self.succeeded / max(self.rows_tried, 1)

    @property
    def mismatch_rate(self) -> float:
        """Mismatches per hash compared, 0 if none was."""
        return self.hash_mismatches / max(self.hashes_compared, 1)

    @property
    def is_complete(self) -> bool:
        """Whether every row of the metadata was tried and its outcome recorded."""
        return self.shards_done == self.shards

    def as_json(self) -> dict[str, Any]:
        """All fields, and the rates."""
        return {
            **asdict(self),
            "success_rate": self.success_rate,
            "mismatch_rate": self.mismatch_rate,
            "complete": self.is_complete,
        }


def summarise(
    tasks: Sequence[ShardTask],
    stats: Mapping[int, Mapping[str, Any]],
    errors: Mapping[str, str],
    seconds: float,
) -> Summary:
    """Add up the stats of the shards that are done."""
    failures: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for one in stats.values():
        failures.update(group(one["status_dict"]))
        ours.update(one.get(OURS, {}))
    return Summary(
        rows=sum(task.n_rows for task in tasks),
        rows_tried=sum(one["count"] for one in stats.values()),
        succeeded=sum(one["successes"] for one in stats.values()),
        failures=dict(failures.most_common()),
        hashes_compared=ours["hashes_compared"],
        hash_mismatches=ours["hash_mismatches"],
        shards=len(tasks),
        shards_done=len(stats),
        shard_errors=dict(errors),
        bytes=ours["bytes"],
        seconds=round(seconds, 3),
    )
