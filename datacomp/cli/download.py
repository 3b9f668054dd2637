"""`datacomp pool download`: metadata from the hub or a folder, pictures from the web."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.pool.download import DownloadReport, FolderSource, HubSource, OwnData


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


METADATA, PICTURES, CRAWL = "Metadata", "Pictures", "Crawl"

OutputOption = Annotated[
    str,
    typer.Option("-o", "--output", metavar="POOL", help="The pool: a folder or an fsspec URL."),
]
PoolScaleOption = Annotated[
    Scale | None,
    typer.Option(
        metavar="SCALE",
        help="small, medium, large, xlarge, datacomp_1b.",
        rich_help_panel=METADATA,
    ),
]
MetadataDirOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help="Your own Parquet files, with url and text.", rich_help_panel=METADATA
    ),
]
ByodOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Own data (Parquet of url, caption), as datacomp submit --byod takes it.",
        rich_help_panel=METADATA,
    ),
]
RevisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="COMMIT", help="Of the hub. Default: the pinned one.", rich_help_panel=METADATA
    ),
]
NpzFlag = Annotated[
    bool,
    typer.Option(
        "--download-npz",
        help="CLIP features too: 25 times as much.",
        rich_help_panel=METADATA,
    ),
]
OverwriteFlag = Annotated[
    bool,
    typer.Option("--overwrite-metadata", help="Fetch it again.", rich_help_panel=METADATA),
]
SkipShardsFlag = Annotated[
    bool, typer.Option("--skip-shards", help="Metadata only.", rich_help_panel=PICTURES)
]
SkipBlurFlag = Annotated[
    bool,
    typer.Option("--skip-bbox-blurring", help="Do not blur faces.", rich_help_panel=PICTURES),
]
ImageSizeOption = Annotated[
    int, typer.Option(min=1, metavar="PIXELS", help="Longest side.", rich_help_panel=PICTURES)
]
ResizeModeOption = Annotated[
    ResizeMode,
    typer.Option(
        metavar="MODE",
        help="no, border, keep_ratio, keep_ratio_largest, center_crop.",
        rich_help_panel=PICTURES,
    ),
]
EnlargeFlag = Annotated[
    bool,
    typer.Option(
        "--no-resize-only-if-bigger", help="Enlarge small ones.", rich_help_panel=PICTURES
    ),
]
EncodeFormatOption = Annotated[
    EncodeFormat, typer.Option(metavar="FORMAT", help="jpg, png, webp.", rich_help_panel=PICTURES)
]
OutputFormatOption = Annotated[
    OutputFormat,
    typer.Option(
        metavar="FORMAT",
        help="webdataset, tfrecord, parquet, files.",
        rich_help_panel=PICTURES,
    ),
]
ShardRowsOption = Annotated[
    int,
    typer.Option(min=2, metavar="N", help="Rows of metadata a shard.", rich_help_panel=PICTURES),
]
ProcessesOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="Shards at once.", rich_help_panel=CRAWL)
]
ThreadsOption = Annotated[
    int,
    typer.Option(min=1, metavar="N", help="Pictures at once, each process.", rich_help_panel=CRAWL),
]
RetriesOption = Annotated[
    int, typer.Option(min=0, metavar="N", help="After the first try.", rich_help_panel=CRAWL)
]
TimeoutOption = Annotated[
    int, typer.Option(min=1, metavar="SECONDS", help="Without a byte.", rich_help_panel=CRAWL)
]
WandbFlag = Annotated[
    bool, typer.Option("--enable-wandb", help="Log to Weights & Biases.", rich_help_panel=CRAWL)
]
WandbProjectOption = Annotated[str, typer.Option(metavar="NAME", rich_help_panel=CRAWL)]


def download(
    output: OutputOption,
    scale: PoolScaleOption = None,
    metadata_dir: MetadataDirOption = None,
    byod: ByodOption = None,
    revision: RevisionOption = None,
    download_npz: NpzFlag = False,
    overwrite_metadata: OverwriteFlag = False,
    skip_shards: SkipShardsFlag = False,
    skip_bbox_blurring: SkipBlurFlag = False,
    image_size: ImageSizeOption = 512,
    resize_mode: ResizeModeOption = ResizeMode.keep_ratio_largest,
    no_resize_only_if_bigger: EnlargeFlag = False,
    encode_format: EncodeFormatOption = EncodeFormat.jpg,
    output_format: OutputFormatOption = OutputFormat.webdataset,
    shard_rows: ShardRowsOption = 10_000,
    processes_count: ProcessesOption = 16,
    thread_count: ThreadsOption = 128,
    retries: RetriesOption = 2,
    timeout: TimeoutOption = 10,
    enable_wandb: WandbFlag = False,
    wandb_project: WandbProjectOption = "datacomp",
    as_json: JsonOption = False,
) -> None:
    """Download a pool: metadata from the hub or a folder, pictures from the web.

    Stopped at any moment, the same command goes on. A dead link is counted and no failure. Exit
    code 1: some rows were not tried.
    """
    from datacomp.cli.download_table import show_report
    from datacomp.pool.download import CrawlOptions, ImageOptions, download_pool
    from datacomp.progress import progress

    images = ImageOptions(
        image_size=image_size,
        resize_mode=resize_mode.value,
        resize_only_if_bigger=not no_resize_only_if_bigger,
        encode_format=encode_format.value,
        output_format=output_format.value,
        blur_faces=not skip_bbox_blurring and byod is None,
        shard_rows=shard_rows,
    )
    report = download_pool(
        output,
        _source(scale, metadata_dir, byod, revision),
        images=None if skip_shards else images,
        crawl=CrawlOptions(
            processes=processes_count,
            threads=thread_count,
            retries=retries,
            timeout_seconds=timeout,
            wandb_project=wandb_project if enable_wandb else None,
        ),
        npz=download_npz,
        overwrite_metadata=overwrite_metadata,
        progress=progress,
    )
    _print_json(report) if as_json else show_report(report, output_format.value)
    if report.summary and not report.summary.is_complete:
        raise typer.Exit(1)


def _print_json(report: "DownloadReport") -> None:
    typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))


def _source(
    scale: Scale | None, metadata_dir: str | None, byod: Path | None, revision: str | None
) -> "FolderSource | HubSource | OwnData":
    from datacomp.errors import UsageError
    from datacomp.pool.download import FolderSource, OwnData, hub_source

    if byod is not None:
        if scale or metadata_dir is not None or revision is not None:
            raise UsageError(
                "--byod is all of a pool: leave out --scale, --metadata-dir, --revision"
            )
        return OwnData(byod)
    if metadata_dir is not None and revision is not None:
        raise UsageError("--revision is of the hub; --metadata-dir takes what is in the folder")
    if metadata_dir is not None:
        return FolderSource(metadata_dir, scale.value if scale else None)
    if scale is None:
        raise UsageError(
            "give --scale for a pool on the hub, or --metadata-dir or --byod for your own"
        )
    return hub_source(scale.value, revision)
