"""How `datacomp pool download` prints what there is now, what is missing and why. 80 columns."""

from rich import box
from rich.console import Console
from rich.table import Table

from datacomp.pool.download import DownloadReport, Summary

SHOWN_ERRORS = 5


def show_report(report: DownloadReport, output_format: str) -> None:
    """Metadata, pictures, failures by reason, hashes, and the next command."""
    source = report.source
    where = f"{source['repo']} at {source['revision'][:12]}" if "repo" in source else source["url"]
    there = report.n_files - report.n_fetched
    _say("pool", report.url)
    _say("from", where)
    _say(
        "metadata",
        f"{report.n_files:,} files, {report.metadata_bytes / 1e6:,.1f} MB"
        + (f", {there:,} there before" if there else ""),
    )
    if report.summary is not None:
        _show_summary(report.n_shards_before, report.summary)
    if output_format == "webdataset" or report.summary is None:
        _say("next", f"datacomp pool index {report.url}")
    else:
        _say("next", "nothing: datacomp pool index reads webdataset shards only")


def _show_summary(n_before: int, summary: Summary) -> None:
    before = f", {n_before:,} there before" if n_before else ""
    _say("shards", f"{summary.shards_done:,} of {summary.shards:,}{before}")
    _say("rows", f"{summary.rows_tried:,} of {summary.rows:,} tried")
    _say("pictures", f"{summary.succeeded:,}, {summary.success_rate:.1%} of the rows tried")
    _say("size", f"{summary.bytes / 1e6:,.1f} MB")
    if n_before < summary.shards_done:
        _say("took", f"{summary.seconds:,.0f} s")
    if summary.hash_mismatches:
        _say(
            "hashes",
            f"{summary.hash_mismatches:,} of {summary.hashes_compared:,} compared "
            f"({summary.mismatch_rate:.1%}) are not the bytes that the metadata describes: "
            "kept, and listed in hash_mismatches/",
        )
    elif summary.hashes_compared:
        _say("hashes", f"all {summary.hashes_compared:,} as the metadata says")
    else:
        _say("hashes", "not compared: the metadata has none")
    _show_failures(summary)
    for name, error in list(summary.shard_errors.items())[:SHOWN_ERRORS]:
        _say("failed", f"shard {name}: {error}")
    if not summary.is_complete:
        missing = summary.shards - summary.shards_done
        _say("missing", f"{missing:,} shards; run the same command again")


def _show_failures(summary: Summary) -> None:
    if not summary.failures:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("no picture because", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    for reason, count in summary.failures.items():
        table.add_row(reason, f"{count:,}", f"{count / max(summary.rows_tried, 1):.1%}")
    Console(highlight=False).print(table)


def _say(label: str, text: str) -> None:
    """One fact; a long one goes on below itself, a path or URL is never cut."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=9)
    grid.add_column(overflow="fold")
    grid.add_row(label, text)
    Console(highlight=False, markup=False).print(grid)
