"""The candidate pool: open it, read its rows, features and samples, index it, look at it.

    pool = open_pool("pools/tiny")
    for part in pool.parts:
        table = pool.read(part, ["uid", "text"])
    samples = pool.samples()
    sample = samples.read(int(samples.locate(uids)[0]))

Knows nothing of filters, training or reports.
"""

from datacomp.pool.encoder import Encoder
from datacomp.pool.indexing import IndexReport, index_pool
from datacomp.pool.manifest import Manifest, Problem
from datacomp.pool.pool import Part, Pool, open_pool
from datacomp.pool.samples import Sample, SampleIndex

__all__ = [
    "Encoder",
    "IndexReport",
    "Manifest",
    "Part",
    "Pool",
    "Problem",
    "Sample",
    "SampleIndex",
    "index_pool",
    "open_pool",
]
