"""Records of training runs, as their folders hold them."""

from dataclasses import replace
from typing import Any

from datacomp.training import RunRecord, load_scale
from datacomp.training.run import SubsetRecord


def make_record(**changes: Any) -> RunRecord:
    """What a run of the smoke scale on a pool of three rows says at its start."""
    record = RunRecord(
        scale="smoke",
        recipe_id=load_scale("smoke").recipe_id,
        pool_id="p",
        pool_size=3,
        pool_problems={},
        subset=SubsetRecord("mine", "s", 3, 3),
        seed=4,
        samples_seen=1024,
        dead_links=0,
        platform={},
        broken_samples={},
        first_batches=(),
    )
    return replace(record, **changes)
