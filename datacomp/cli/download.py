"""`datacomp pool download`: metadata from the hub or a folder, pictures from the web."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.pool.download import DownloadReport, FolderSource, HubSource, Summary


class Scale(StrEnum):
    """Pools on the hub."""

    small = "small"
    medium = "medium"
    large = "large"
    xlarge = "xlarge"
    datacomp_1b = "datacomp_1b"


class ResizeMode(StrEnum):
    """img2dataset's."""

    no = "no"
    border = "border"
    keep_ratio = "keep_ratio"
    keep_ratio_largest = "keep_ratio_largest"
    center_crop = "center_crop"


class EncodeFormat(StrEnum):
    """Of the pictures in the shards."""

    jpg = "jpg"
    png = "png"
    webp = "webp"


class OutputFormat(StrEnum):
    """Of the shards."""

    webdataset = "webdataset"
    tfrecord = "tfrecord"
    parquet = "parquet"
    files = "files"


def download(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="POOL", help="Folder or fsspec URL.")
    ],
    scale: Annotated[Scale | None, typer.Option(help="Pool on the hub.")] = None,
    metadata_dir: Annotated[
        str | None,
        typer.Option(help="Metadata that you have: folder or URL of Parquet with url and text."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Commit, tag or branch on the hub. Default: the pinned one.")
    ] = None,
    download_npz: Annotated[
        bool, typer.Option("--download-npz", help="The CLIP features too; 25 times the Parquet.")
    ] = False,
    skip_shards: Annotated[bool, typer.Option("--skip-shards", help="Only the metadata.")] = False,
    overwrite_metadata: Annotated[
        bool, typer.Option("--overwrite-metadata", help="Fetch the metadata anew.")
    ] = False,
    skip_bbox_blurring: Annotated[
        bool, typer.Option("--skip-bbox-blurring", help="Do not blur faces.")
    ] = False,
    processes_count: Annotated[int, typer.Option(min=1)] = 16,
    thread_count: Annotated[int, typer.Option(min=1, help="Per process.")] = 128,
    image_size: Annotated[int, typer.Option(min=1, help="Pixels.")] = 512,
    resize_mode: ResizeMode = ResizeMode.keep_ratio_largest,
    no_resize_only_if_bigger: Annotated[
        bool, typer.Option("--no-resize-only-if-bigger", help="Enlarge small pictures too.")
    ] = False,
    encode_format: EncodeFormat = EncodeFormat.jpg,
    output_format: OutputFormat = OutputFormat.webdataset,
    retries: Annotated[int, typer.Option(min=0, help="After the first try of a picture.")] = 2,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds without an answer.")] = 10,
    shard_rows: Annotated[int, typer.Option(min=2, help="Rows of metadata per shard.")] = 10_000,
    enable_wandb: Annotated[bool, typer.Option("--enable-wandb")] = False,
    wandb_project: Annotated[str, typer.Option()] = "datacomp",
    as_json: JsonOption = False,
) -> None:
    """Download a pool: metadata from the hub or a folder, pictures from the web.

    Stopped at any moment, the same command goes on. Dead links are counted and no failure; exit
    code 1 says that rows were not tried: run the command again.
    """
    from datacomp.pool.download import CrawlOptions, ImageOptions, download_pool
    from datacomp.progress import progress

    images = ImageOptions(
        image_size=image_size,
        resize_mode=resize_mode.value,
        resize_only_if_bigger=not no_resize_only_if_bigger,
        encode_format=encode_format.value,
        output_format=output_format.value,
        blur_faces=not skip_bbox_blurring,
        shard_rows=shard_rows,
    )
    crawl = CrawlOptions(
        processes=processes_count,
        threads=thread_count,
        retries=retries,
        timeout_seconds=timeout,
        wandb_project=wandb_project if enable_wandb else None,
    )
    report = download_pool(
        output,
        _source(scale, metadata_dir, revision),
        images=None if skip_shards else images,
        crawl=crawl,
        npz=download_npz,
        overwrite_metadata=overwrite_metadata,
        progress=progress,
    )
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(report, output_format)
    if report.summary and not report.summary.is_complete:
        raise typer.Exit(1)


def _source(
    scale: Scale | None, metadata_dir: str | None, revision: str | None
) -> "FolderSource | HubSource":
    from datacomp.errors import UsageError
    from datacomp.pool.download import FolderSource, hub_source

    if metadata_dir is not None and revision is not None:
        raise UsageError("--revision is of the hub; --metadata-dir takes what is in the folder")
    if metadata_dir is not None:
        return FolderSource(metadata_dir, scale.value if scale else None)
    if scale is None:
        raise UsageError("give --scale for a pool on the hub, or --metadata-dir for your own")
    return hub_source(scale.value, revision)


def _show(report: "DownloadReport", output_format: OutputFormat) -> None:
    source = report.source
    where = f"{source['repo']} at {source['revision'][:12]}" if "repo" in source else source["url"]
    size = f"{report.metadata_bytes / 1e6:,.1f} MB"
    kept = f", {report.n_files - report.n_fetched:,} there before" if report.n_fetched else ""
    typer.echo(f"pool      {report.url}")
    typer.echo(f"from      {where}")
    typer.echo(f"metadata  {report.n_files:,} files, {size}{kept}")
    if report.summary is not None:
        _show_summary(report, report.summary)
    if output_format is OutputFormat.webdataset or report.summary is None:
        typer.echo(f"next      datacomp pool index {report.url}")
    else:
        typer.echo("next      nothing: datacomp pool index reads webdataset shards only")


def _show_summary(report: "DownloadReport", summary: "Summary") -> None:
    before = f", {report.n_shards_before:,} there before" if report.n_shards_before else ""
    typer.echo(f"shards    {summary.shards_done:,} of {summary.shards:,}{before}")
    typer.echo(f"rows      {summary.rows_tried:,} of {summary.rows:,} tried")
    typer.echo(f"pictures  {summary.succeeded:,} ({summary.success_rate:.1%} of the rows tried)")
    typer.echo(f"size      {summary.bytes / 1e6:,.1f} MB in {summary.seconds:,.0f} s")
    _show_failures(summary)
    if summary.hash_mismatches:
        typer.echo(
            f"hashes    {summary.hash_mismatches:,} of {summary.hashes_compared:,} pictures "
            f"({summary.mismatch_rate:.1%}) are not the bytes that the\n"
            f"          metadata describes; kept, and listed in hash_mismatches/"
        )
    elif summary.hashes_compared:
        typer.echo(f"hashes    all {summary.hashes_compared:,} as the metadata says")
    else:
        typer.echo("hashes    not compared: the metadata has none")
    for name, error in list(summary.shard_errors.items())[:5]:
        typer.secho(f"failed    shard {name}: {error}", fg="red")
    if not summary.is_complete:
        typer.echo(
            f"          {summary.shards - summary.shards_done:,} shards are missing; run the same "
            "command again"
        )


def _show_failures(summary: "Summary") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not summary.failures:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("no picture because", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    for reason, count in summary.failures.items():
        table.add_row(reason, f"{count:,}", f"{count / max(summary.rows_tried, 1):.1%}")
    Console(highlight=False).print(table)
