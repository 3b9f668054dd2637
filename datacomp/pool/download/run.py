"""The whole download: pin, fetch the metadata, fetch the shards that are missing, sum up.

A pool downloaded by the original's script is gone on with as well: its layout and its numbering
are the same.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from datacomp.errors import MissingExtraError, PoolError
from datacomp.files import locked
from datacomp.pool.download.crew import fetch_shards
from datacomp.pool.download.metadata import Source, fetch_metadata, pin, wanted
from datacomp.pool.download.options import CrawlOptions, ImageOptions
from datacomp.pool.download.plan import ShardTask, plan_shards, read_stats, shard_stats
from datacomp.pool.download.record import Record, write_record
from datacomp.pool.download.shard import ShardWork
from datacomp.pool.download.summary import Summary, summarise
from datacomp.pool.download.tracking import Tracker
from datacomp.pool.folder import Folder
from datacomp.pool.indexing import StartProgress, silent
from datacomp.pool.pool import SHARDS

STAGING = ".download"


@dataclass(frozen=True)
class DownloadReport:
    """What there is now. `n_fetched`: metadata files fetched by this call; `summary` None: without
    pictures."""

    url: str
    source: Mapping[str, Any]
    n_files: int
    metadata_bytes: int
    n_fetched: int
    n_shards_before: int
    summary: Summary | None

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {**asdict(self), "summary": self.summary.as_json() if self.summary else None}


def download_pool(
    url: str,
    source: Source,
    *,
    images: ImageOptions | None = None,
    crawl: CrawlOptions | None = None,
    npz: bool = False,
    overwrite_metadata: bool = False,
    progress: StartProgress = silent,
) -> DownloadReport:
    """Download a pool into the folder `url`, or go on with it. `images` None: metadata only.

    Rows whose picture cannot be had are counted, no error. `PoolError` where metadata cannot be
    had; a shard that fails is in the summary's `shard_errors`, and the next call tries it again.
    """
    crawl = crawl or CrawlOptions()
    if images is not None:
        require_img2dataset(images)
    began = time.monotonic()
    pool = _absolute(Folder(str(url)))
    with _staging(pool) as staging:
        record = pin(pool, source, overwrite=overwrite_metadata)
        files = wanted(record, npz=npz)
        fetched = fetch_metadata(pool, source, record, files, staging / "metadata", progress)
        summary, before = None, 0
        if images is not None:
            work = ShardWork(pool, images, crawl, staging / "shards")
            summary, before = _fetch_images(work, record, began, progress)
    return DownloadReport(
        url=str(url),
        source=record.source,
        n_files=len(files),
        metadata_bytes=sum(file.size for file in files),
        n_fetched=fetched,
        n_shards_before=before,
        summary=summary,
    )


def _fetch_images(
    work: ShardWork, record: Record, began: float, progress: StartProgress
) -> tuple[Summary, int]:
    """Fetch the shards that are missing, write the summary, and say how many were there."""
    pool = work.pool
    if pool.files(SHARDS, "_stats.json"):
        record.demand(work.images)
    tasks = plan_shards(pool, record.files, work.images)
    before = read_stats(pool, tasks)
    record = replace(record, images=asdict(work.images))
    write_record(pool, record)
    missing = [task for task in tasks if task.number not in before]
    errors: dict[str, str] = {}
    if missing:
        tracker = Tracker(work.crawl.wandb_project, {**record.source, **asdict(work.images)})
        done = sum(stats["count"] for stats in before.values())
        total = sum(task.n_rows for task in tasks)
        with progress("images", total, done=done, unit="rows") as bar:
            bar.advance(0, "starting img2dataset")
            errors = _follow(work, missing, bar, tracker)
        tracker.close()
    stats = read_stats(Folder(pool.url), tasks)
    summary = summarise(tasks, stats, errors, time.monotonic() - began)
    write_record(pool, replace(record, summary=summary.as_json()))
    return summary, len(before)


def _follow(
    work: ShardWork, tasks: Sequence[ShardTask], bar: Any, tracker: Tracker
) -> dict[str, str]:
    """Fetch the shards, show how far they are, and give the errors of those that failed."""
    open_shards: dict[int, tuple[int, int]] = {}
    errors: dict[str, str] = {}
    tried = succeeded = 0
    with closing(fetch_shards(work, tasks)) as stream:
        for told in stream:
            task, counts = told.task, (told.tried, told.succeeded)
            if told.done and (stats := shard_stats(work.pool, task)) is not None:
                counts = (stats["count"], stats["successes"])
                tracker.shard(stats)
            if told.error:
                errors[task.name] = told.error
            was = open_shards.pop(task.number, (0, 0))
            if not told.done:
                open_shards[task.number] = counts
            tried, succeeded = tried + counts[0] - was[0], succeeded + counts[1] - was[1]
            bar.advance(counts[0] - was[0], f"{succeeded / max(tried, 1):.0%} found")
    return errors


def _absolute(pool: Folder) -> Folder:
    """The same folder for processes that were started elsewhere."""
    return pool if pool.local is None else Folder(str(pool.local))


def require_img2dataset(images: ImageOptions) -> None:
    """`MissingExtraError` says what is not installed; to import it would take seconds."""
    if find_spec("img2dataset") is None:
        raise MissingExtraError(
            "this needs the package 'img2dataset', which is not installed. "
            "Run: pip install 'datacomp[download]'"
        )
    if find_spec("imghdr") is None:
        raise MissingExtraError(
            "img2dataset needs the module imghdr, which Python 3.13 no longer has. "
            "Run: pip install standard-imghdr"
        )
    if images.output_format == "tfrecord" and find_spec("tensorflow_io") is None:
        raise MissingExtraError(
            "output format 'tfrecord' needs tensorflow and tensorflow_io. "
            "Run: pip install tensorflow tensorflow_io"
        )


@contextmanager
def _staging(pool: Folder) -> Iterator[Path]:
    """A folder on this machine for files in the making, emptied of what a killed run left there.

    A local pool has it inside, so that finished files are moved and not copied, and is locked.
    """
    if pool.local is None:
        with tempfile.TemporaryDirectory(prefix="datacomp-download-") as name:
            yield Path(name)
        return
    staging = pool.local / STAGING
    busy = PoolError(f"another download runs in {pool.url}. Wait for it, or end it first.")
    with locked(staging, busy):
        shutil.rmtree(staging / "shards", ignore_errors=True)
        try:
            yield staging
            # Metadata that was broken off is kept, and gone on with by the next start.
            shutil.rmtree(staging / "metadata", ignore_errors=True)
        finally:
            _tidy(staging)


def _tidy(staging: Path) -> None:
    """Remove what is of no use to anybody: everything but logs of failed shards and metadata."""
    if not any((staging / "shards").glob("*.log")):
        shutil.rmtree(staging / "shards", ignore_errors=True)
    with suppress(OSError):  # not empty
        staging.rmdir()
        staging.parent.rmdir()
