"""Webdataset shards: from pool and subset to tars, by byte ranges through the offset index.

    report = reshard(open_pool("pools/small"), read_subset("mine.npy"), Path("shards"))
    report.manifest["samples"]

Every output shard is a task of its own: the same bytes whatever the number of processes, and after
any stop the same call writes only what is not there yet.
"""

from datacomp.shards.options import (
    Duplicates,
    FaceOptions,
    FaceSource,
    Layout,
    Missing,
    OnError,
)
from datacomp.shards.reshard import ReshardReport, reshard

__all__ = [
    "Duplicates",
    "FaceOptions",
    "FaceSource",
    "Layout",
    "Missing",
    "OnError",
    "ReshardReport",
    "reshard",
]
