"""The pool of a team's own data: the pictures that its addresses lead to, fetched on this machine.

Whatever an earlier attempt fetched here stays.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import PoolError
from datacomp.pool import Pool, index_pool, open_pool
from datacomp.pool.download import CrawlOptions, DownloadReport, ImageOptions, OwnData, Reach
from datacomp.pool.download.run import download_pool
from datacomp.worker.faults import UserFault
from datacomp.worker.orders import Order
from datacomp.worker.tasks.together import once
from datacomp.worker.telling import Telling

THREADS = 32
SHARD_ROWS = 1000
"""Small: a task that is stopped loses what it has of a shard."""
# Of a picture before it is made smaller; decoded it takes four bytes a pixel or less.
_LARGEST_PIXELS = 2**27
# Failures that are as well this machine's as the address's.
_OF_THE_NETWORK = frozenset({"host not found", "no connection", "timeout"})


@dataclass(frozen=True)
class OwnPool:
    """The pool, and what came of its addresses: rows, pictures, failures by reason."""

    pool: Pool
    facts: Mapping[str, Any]


def own_pool(order: Order, work: Path, telling: Telling) -> OwnPool:
    """Fetch and index what is missing.

    `UserFault` if not one address gives a picture; `PoolError` if the network seems to be away, or
    this worker does not follow addresses of teams.
    """
    if order.byod is None:
        raise PoolError(
            "this worker does not follow addresses of teams: start it with datacomp worker --byod"
        )
    folder = work / "pool"
    facts = once(order, work, "fetched", lambda: _fetch(order, folder, telling))
    return OwnPool(open_pool(str(folder)), facts)


def _fetch(order: Order, folder: Path, telling: Telling) -> dict[str, Any]:
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(_LARGEST_PIXELS)  # of the processes it starts
    assert order.byod is not None, "looked at before"
    report = download_pool(
        str(folder),
        OwnData(order.input("byod")),
        images=ImageOptions(blur_faces=False, shard_rows=SHARD_ROWS),
        crawl=CrawlOptions(
            processes=order.decode_threads, threads=THREADS, reach=Reach(allowed=tuple(order.byod))
        ),
        progress=telling.open_progress,
    )
    facts = found_facts(report)
    telling.stage("index pictures")
    index_pool(str(folder), workers=order.decode_threads)
    return facts


def found_facts(report: DownloadReport) -> dict[str, Any]:
    """Rows, pictures, failures by reason; raises what `own_pool` does if that is no pool."""
    summary = report.summary
    assert summary is not None, "pictures were asked for"
    if not summary.is_complete:
        name, error = next(iter(summary.shard_errors.items()), ("some", "not tried"))
        raise PoolError(f"not every address was tried: shard {name}: {error}")
    if not summary.succeeded:
        reasons = ", ".join(f"{name} {count:,}" for name, count in summary.failures.items())
        text = f"not one of {summary.rows:,} addresses gave a picture: {reasons}"
        if summary.failures.keys() <= _OF_THE_NETWORK:
            raise PoolError(f"{text}. Is this worker's network away?")
        raise UserFault("byod_no_picture", text)
    return {
        "rows": summary.rows,
        "pictures": summary.succeeded,
        "failures": dict(summary.failures),
    }
