"""`datacomp reshard`: the samples of a subset as webdataset tars."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.options import JsonOption, PoolOption, SubsetOption, WorkersOption
from datacomp.errors import UsageError
from datacomp.shards.options import Duplicates, FaceOptions, FaceSource, Layout, Missing, OnError

if TYPE_CHECKING:
    from datacomp.shards import ReshardReport

app = typer.Typer(add_completion=False)

Out = Annotated[
    str, typer.Option("-o", "--output-dir", help="Local folder for the tars; made if need be.")
]
Size = Annotated[
    int, typer.Option("--samples-per-shard", min=1, help="Only the last shard has fewer.")
]
MissingOption = Annotated[
    Missing, typer.Option("--missing", help="Of uids that the pool lacks: refuse, or leave out.")
]
DuplicatesOption = Annotated[
    Duplicates,
    typer.Option("--duplicates", help="Where several samples have a uid: write the first, or all."),
]
FirstShard = Annotated[
    int, typer.Option("--first-shard", min=0, help="Number of the first input shard to read.")
]
NumShards = Annotated[
    int | None, typer.Option("--num-shards", min=1, help="So many numbers on. Default: all.")
]
Blur = Annotated[bool, typer.Option("--blur-faces", help="Blur faces; such pictures become webp.")]
Inject = Annotated[
    bool, typer.Option("--inject-faces", help="Write the face boxes into the json members.")
]
FacesFrom = Annotated[
    FaceSource, typer.Option("--faces-from", help="Where the boxes (face_bboxes) are read.")
]
Quality = Annotated[
    int, typer.Option("--webp-quality", min=1, max=100, help="Of blurred pictures.")
]
OnErrorOption = Annotated[
    OnError,
    typer.Option("--on-error", help="At faces that cannot be blurred: stop, or leave out, count."),
]
Sha256 = Annotated[bool, typer.Option("--sha256", help="Put each tar's sha256 into shards.json.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Remove the shards of another reshard first.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")
]


@app.command()
def reshard(
    output_dir: Out,
    subset: SubsetOption = None,
    pool: PoolOption = None,
    samples_per_shard: Size = 10_000,
    workers: WorkersOption = 1,
    missing: MissingOption = Missing.REFUSE,
    duplicates: DuplicatesOption = Duplicates.FIRST,
    first_shard: FirstShard = 0,
    num_shards: NumShards = None,
    blur_faces: Blur = False,
    inject_faces: Inject = False,
    faces_from: FacesFrom = FaceSource.METADATA,
    webp_quality: Quality = 100,
    on_error: OnErrorOption = OnError.STOP,
    sha256: Sha256 = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
) -> None:
    """Copy the samples of a subset into webdataset tars, each as often as it stands there.

    Stopped at any moment, the same command goes on with the shards that are not there yet.
    """
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.shards import reshard as write_shards
    from datacomp.subset import read_subset
    from datacomp.training import whole_pool
    from datacomp.workspace import Workspace

    workspace, out = Workspace.find(), _local(output_dir)
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    path = subset or workspace.default_subset()
    report = write_shards(
        opened,
        read_subset(path) if path else whole_pool(opened),
        out,
        layout=Layout(
            samples_per_shard=samples_per_shard,
            first_shard=first_shard,
            num_shards=num_shards,
            duplicates=duplicates,
        ),
        missing=missing,
        faces=_faces(blur_faces, inject_faces, faces_from, webp_quality),
        on_error=on_error,
        sha256=sha256,
        workers=workers,
        overwrite=overwrite,
        dry_run=dry_run,
        progress=progress,
    )
    _print_json(report, out) if as_json else _show(report, out)


def _local(folder: str) -> Path:
    if re.match(r"\w+://", folder):
        raise UsageError(
            f"shards are written to a local folder, got {folder}. Write them to a disk and copy "
            "them there: each is whole as soon as it has its name."
        )
    return Path(folder)


def _faces(blur: bool, inject: bool, source: FaceSource, quality: int) -> FaceOptions | None:
    if not (blur or inject):
        return None
    return FaceOptions(blur=blur, inject=inject, source=source, webp_quality=quality)


def _print_json(report: "ReshardReport", out: Path) -> None:
    plan = report.plan
    facts: dict[str, Any] = {
        "folder": str(out),
        "dry_run": report.manifest is None,
        "shards": plan.n_shards,
        "samples": plan.n_entries,
        "bytes": report.n_bytes,
        "written": report.written,
        "reused": report.reused,
        "unknown_uid": plan.unknown.entries,
        "no_sample": plan.dead.entries,
        "other_input_shards": plan.outside,
    }
    typer.echo(json.dumps({**facts, "manifest": report.manifest}, indent=2))


def _show(report: "ReshardReport", out: Path) -> None:
    plan, manifest = report.plan, report.manifest
    samples = manifest["samples"] if manifest else plan.n_entries
    size = manifest["bytes"] if manifest else report.n_bytes
    reused = f"; {report.reused:,} were there before" if report.reused else ""
    _line("pool", f"{plan.pool.url}")
    each = f"up to {plan.layout.samples_per_shard:,} samples in each"
    _line("shards", f"{plan.n_shards:,}, {each}{reused}")
    _line("samples", f"{samples:,}, {len(plan.positions):,} different; {size / 1e6:,.1f} MB")
    if plan.unknown.entries:
        _line("unknown", f"{plan.unknown.entries:,} entries are not in the pool: left out")
    if plan.dead.entries:
        _line("no image", f"{plan.dead.entries:,} entries have no sample (dead links): left out")
    if plan.outside:
        _line("outside", f"{plan.outside:,} entries are in input shards that were not chosen")
    if plan.repeated:
        what = "all" if plan.layout.duplicates == "all" else "the first of them"
        _line("repeated", f"{plan.repeated:,} uids have several samples: {what} written")
    if manifest is None:
        from datacomp.shards.checks import free_bytes

        _line("free", f"{free_bytes(out) / 1e6:,.0f} MB where {out} is or will be")
        _line("dry run", "nothing was written")
        return
    if manifest["blurred"]:
        _line("blurred", f"{manifest['blurred']:,} samples with faces")
    if broken := manifest["skipped"]["broken_faces"]["entries"]:
        _line("broken", f"{broken:,} samples with faces that cannot be blurred: left out")
    first, last = (f"{number:08d}" for number in (0, plan.n_shards - 1))
    _line("took", f"{report.seconds:.1f} s")
    _line("wrote", f"{out}, and {out / 'shards.json'} about it")
    _line("next", f"datacomp train --data-dir {out}")
    _line("read by", f"open_clip --train-data '{out}/{{{first}..{last}}}.tar'")


def _line(label: str, text: str) -> None:
    typer.echo(f"{label:<9}{text}")
