"""One shard: rows of the metadata in, pictures from the web, the shard's files out.

img2dataset fetches, resizes and writes into a private folder; then the hashes are compared and the
files moved into the pool, `_stats.json` last. So a half-written shard is never in the pool.
"""

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datacomp.pool.download.metadata import publish
from datacomp.pool.download.options import FACES, CrawlOptions, ImageOptions
from datacomp.pool.download.plan import OURS, SHARD_DIGITS, ShardTask
from datacomp.pool.download.statuses import NOT_RECORDED, SUCCESS
from datacomp.pool.folder import Folder
from datacomp.pool.pool import SHARDS
from datacomp.pool.schema import TEXT, UID

MISMATCHES = "hash_mismatches"
TELL_EVERY_SECONDS = 0.5
# What img2dataset's own entry point passes unless told otherwise: an answer with one of these
# X-Robots-Tags is not used.
OPT_OUTS = ("noai", "noimageai", "noindex", "noimageindex")

Tell = Callable[[tuple[int, int]], None]
"""Called with (rows tried, rows succeeded) of the shard so far."""


@dataclass(frozen=True)
class ShardWork:
    """What all shards of a run share; `staging` is a folder on this machine."""

    pool: Folder
    images: ImageOptions
    crawl: CrawlOptions
    staging: Path


def fetch_shard(work: ShardWork, task: ShardTask, tell: Tell) -> None:
    """Fetch one shard into the pool; whatever goes wrong with the whole of it is raised.

    A row that cannot be fetched is no failure of the shard: it is counted with its reason.
    """
    home = work.staging / task.name
    shutil.rmtree(home, ignore_errors=True)
    out = home / "out"
    out.mkdir(parents=True)
    rows = _read_rows(work, task)
    columns = [UID, *([FACES] if work.images.blur_faces else []), "caption", "url"]
    feed = home / "rows.arrow"
    with pa.ipc.new_file(str(feed), rows.select(columns).schema) as writer:
        writer.write_table(rows.select(columns))
    downloader = _downloader(work, columns, out, tell)
    downloader.download_shard((task.number, str(feed)))
    stats = _checked_stats(work, task, rows, out)
    for path in sorted(out.iterdir()):
        publish(path, work.pool, f"{SHARDS}/{path.name}")
    last = home / "stats.json"
    last.write_text(json.dumps(stats, indent=4))
    publish(last, work.pool, f"{SHARDS}/{task.name}_stats.json")
    shutil.rmtree(home, ignore_errors=True)


def _read_rows(work: ShardWork, task: ShardTask) -> pa.Table:
    """The rows of the shard, columns named as img2dataset wants them; sha256 if there is one."""
    with work.pool.open(task.path) as file, pq.ParquetFile(file) as parquet:
        names = parquet.schema_arrow.names
        wanted = [UID, TEXT, "url", *([FACES] if work.images.blur_faces else [])]
        wanted += ["sha256"] if "sha256" in names else []
        groups, start, skipped = [], 0, 0
        for group in range(parquet.num_row_groups):
            n = parquet.metadata.row_group(group).num_rows
            if start + n <= task.first:
                skipped += n
            elif start < task.first + task.n_rows:
                groups.append(group)
            start += n
        table = parquet.read_row_groups(groups, columns=wanted)
    table = table.slice(task.first - skipped, task.n_rows)
    return table.rename_columns(["caption" if n == TEXT else n for n in table.column_names])


def _downloader(work: ShardWork, columns: list[str], out: Path, tell: Tell) -> Any:
    """img2dataset's downloader with the options of the work, its writer wrapped to count rows."""
    from datacomp.pool.download.blur import FaceBlurrer
    from datacomp.pool.download.imports import WRITERS, Downloader, Resizer

    images, crawl = work.images, work.crawl
    writer = WRITERS[images.output_format]
    return Downloader(
        sample_writer_class=lambda *args: _CountingWriter(writer(*args), tell),
        resizer=Resizer(
            image_size=images.image_size,
            resize_mode=images.resize_mode,
            resize_only_if_bigger=images.resize_only_if_bigger,
            encode_quality=images.encode_quality,
            encode_format=images.encode_format,
            blurrer=FaceBlurrer() if images.blur_faces else None,
        ),
        thread_count=crawl.threads,
        save_caption=True,
        extract_exif=True,
        output_folder=str(out),
        column_list=columns,
        timeout=crawl.timeout_seconds,
        number_sample_per_shard=images.shard_rows,
        oom_shard_count=SHARD_DIGITS,
        compute_hash="sha256",
        verify_hash_type=None,
        encode_format=images.encode_format,
        retries=crawl.retries,
        user_agent_token=None,
        disallowed_header_directives=OPT_OUTS,
        blurring_bbox_col=FACES if images.blur_faces else None,
    )


class _CountingWriter:
    """A writer of img2dataset's that tells now and then how many samples came through it."""

    def __init__(self, writer: Any, tell: Tell) -> None:
        self.writer, self.tell = writer, tell
        self.tried = self.succeeded = 0
        self.told = time.monotonic()

    def write(self, img_str: bytes | None, key: str, caption: str | None, meta: Any) -> None:
        self.writer.write(img_str, key, caption, meta)
        self.tried += 1
        self.succeeded += img_str is not None
        if time.monotonic() - self.told >= TELL_EVERY_SECONDS:
            self.told = time.monotonic()
            self.tell((self.tried, self.succeeded))

    def close(self) -> None:
        self.writer.close()


def _checked_stats(work: ShardWork, task: ShardTask, rows: pa.Table, out: Path) -> dict[str, Any]:
    """img2dataset's stats, taken out of `out`, put right and with our counts in them.

    img2dataset drops a sample on an error of its own, with a message to its log only; such rows
    are those that its table does not have.
    """
    path = out / f"{task.name}_stats.json"
    stats: dict[str, Any] = json.loads(path.read_text())
    path.unlink()
    table = pq.read_table(out / f"{task.name}.parquet", columns=["key", "status", "sha256"])
    got = table.filter(pc.equal(table.column("status"), SUCCESS))
    lost = task.n_rows - table.num_rows
    stats["successes"] = got.num_rows
    stats["status_dict"] = {**stats["status_dict"], SUCCESS: got.num_rows}
    if lost:
        stats["status_dict"][NOT_RECORDED] = lost
    compared, wrong = _compare(work.images, task, rows, got)
    target = f"{MISMATCHES}/{task.name}.parquet"
    if wrong.num_rows:
        listing = out.parent / "mismatches.parquet"
        pq.write_table(wrong, listing)
        publish(listing, work.pool, target)
    elif work.pool.exists(target):
        work.pool.remove(target)
    stats[OURS] = {
        "hashes_compared": compared,
        "hash_mismatches": wrong.num_rows,
        "bytes": sum(file.stat().st_size for file in out.rglob("*") if file.is_file()),
    }
    return stats


def _compare(
    images: ImageOptions, task: ShardTask, rows: pa.Table, got: pa.Table
) -> tuple[int, pa.Table]:
    """How many pictures have a hash to compare with, and the rows whose bytes have another."""
    first_key = task.number * 10 ** math.ceil(math.log10(images.shard_rows))
    source = rows.take(pc.subtract(got.column("key").cast(pa.int64()), first_key))
    found = got.column("sha256")
    if "sha256" in rows.column_names:
        expected = source.column("sha256").cast(pa.string())
    else:
        expected = pa.chunked_array([pa.nulls(got.num_rows, pa.string())])
    differs = pc.fill_null(pc.not_equal(pc.utf8_lower(expected), found), False)
    listing = pa.table(
        {
            UID: source.column(UID),
            "url": source.column("url"),
            "key": got.column("key"),
            "expected_sha256": expected,
            "sha256": found,
        }
    )
    return got.num_rows - expected.null_count, listing.filter(differs)
