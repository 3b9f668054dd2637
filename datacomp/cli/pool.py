"""`datacomp pool`: build, download and index a pool, say what is in it, look at it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datacomp.cli.download import download
from datacomp.cli.options import JsonOption
from datacomp.errors import UsageError
from datacomp.workspace import Workspace

if TYPE_CHECKING:
    from datacomp.pool import Encoder, IndexReport, Pool, Problem
    from datacomp.subset import UidArray

app = typer.Typer(
    no_args_is_help=True, help="Build, download, index, inspect and look at candidate pools."
)
build = typer.Typer(no_args_is_help=True, help="Build a pool.")
app.add_typer(build, name="build")
app.command()(download)

SHOWN_PROBLEMS = 3

PoolArgument = Annotated[
    str | None,
    typer.Argument(metavar="POOL", help="A folder or an fsspec URL. Default: the workspace's."),
]


@build.command()
def tiny(
    out: Annotated[Path | None, typer.Argument(help="Default: the workspace's tiny pool.")] = None,
    rows: Annotated[int, typer.Option(min=4, help="Rows of metadata.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    mix: Annotated[
        str | None, typer.Option(help="Shares of kinds of rows, such as clean=0.8,junk=0.2")
    ] = None,
    images: Annotated[
        bool, typer.Option(help="Without: metadata only, scores invented; for speed tests.")
    ] = True,
    teacher: Annotated[bool, typer.Option(help="Without: no features and no CLIP scores.")] = True,
) -> None:
    """Build the tiny pool: a third clean pictures of emoji, the rest planted noise."""
    from datacomp.pool.tiny.build import build_tiny, require_place
    from datacomp.pool.tiny.config import TinyConfig, parse_mix
    from datacomp.progress import progress

    choice: dict[str, Any] = {"mix": parse_mix(mix)} if mix else {}
    config = TinyConfig(rows=rows, seed=seed, images=images, **choice)
    place = out or Path(Workspace.find().pool_for("tiny"))
    require_place(place, config)
    build_tiny(place, config, _teacher() if teacher and images else None, progress)
    info(str(place))


@build.command()
def trusted(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: the workspace's pools/trusted.")
    ] = None,
) -> None:
    """Build the tiny trusted set: clean, labelled pictures that the tiny pool does not have."""
    from datacomp.progress import progress
    from datacomp.training.teacher import build_trusted

    place = output or Workspace.find().root / "pools" / "trusted"
    build_trusted(place, progress)
    info(str(place))


@app.command()
def index(
    pool: PoolArgument = None,
    verify_images: Annotated[
        bool, typer.Option("--verify-images", help="Decode every picture; slow.")
    ] = False,
    accept_problems: Annotated[
        bool, typer.Option("--accept-problems", help="Exit with 0 though there are problems.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Index the shards and check the pool; problems are printed and recorded, and exit with 1."""
    from datacomp.pool import index_pool
    from datacomp.progress import progress

    report = index_pool(_url(pool), verify_images=verify_images, workers=workers, progress=progress)
    _print_json(report.manifest) if as_json else _show_report(report)
    if report.problems and not accept_problems:
        raise typer.Exit(1)


@app.command()
def info(pool: PoolArgument = None, as_json: JsonOption = False) -> None:
    """Say what a pool holds, where it comes from, and what is wrong with it."""
    from datacomp.pool import open_pool

    opened = open_pool(_url(pool))
    if as_json:
        _print_json(opened.require_manifest())
    else:
        _show_pool(opened)


@app.command()
def show(
    pool: PoolArgument = None,
    uid: Annotated[list[str] | None, typer.Option(help="This sample; repeatable.")] = None,
    subset: Annotated[Path | None, typer.Option(help="Samples of a subset file.")] = None,
    truth: Annotated[
        str | None, typer.Option(metavar="KIND", help="Samples of a planted kind (tiny pool).")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=500, help="At most so many.")] = 24,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    columns: Annotated[int, typer.Option(min=1, max=12)] = 6,
    output: Annotated[Path, typer.Option("-o", "--output", help="PNG to write.")] = Path(
        "contact-sheet.png"
    ),
) -> None:
    """Draw a contact sheet: pictures with captions and scores; without a choice, a random one."""
    from datacomp.pool import open_pool
    from datacomp.pool.contact import cards, choose_uids, contact_sheet, write_png
    from datacomp.subset import parse_uids

    if sum(map(bool, (uid, subset, truth))) > 1:
        raise UsageError("give one of --uid, --subset and --truth")
    opened = open_pool(_url(pool))
    if uid:
        uids, what = parse_uids(uid), "Chosen samples"
    else:
        among = _uids_of(subset)
        uids = choose_uids(opened, among=among, truth_kind=truth, n=n, seed=seed)
        what = truth.replace("_", " ") if truth else subset.name if subset else "Random sample"
    about = f"{len(uids)} samples, seed {seed}, of {opened.url} ({opened.n_rows:,} rows)"
    write_png(contact_sheet(cards(opened, uids), title=what, about=about, columns=columns), output)
    typer.echo(f"wrote {output}")


def _url(pool: str | None) -> str:
    workspace = Workspace.find()
    return pool or workspace.pool_for(workspace.scale)


def _teacher() -> "Encoder":
    from datacomp.progress import progress
    from datacomp.training.teacher import tiny_teacher

    return tiny_teacher(progress)


def _uids_of(subset: Path | None) -> "UidArray | None":
    from datacomp.subset import read_subset

    return read_subset(subset).uids if subset else None


def _print_json(manifest: Any) -> None:
    from datacomp.pool.manifest import to_json

    typer.echo(json.dumps(to_json(manifest), indent=2, ensure_ascii=False))


def _show_report(report: "IndexReport") -> None:
    manifest = report.manifest
    n_shards = len(manifest.shards)
    reused = f", {report.n_shards_reused:,} kept from before" if report.n_shards_reused else ""
    typer.echo(f"pool id  {manifest.pool_id}")
    typer.echo(f"rows     {manifest.n_rows:,} in {len(manifest.parts):,} metadata files")
    typer.echo(f"samples  {manifest.n_samples:,} in {n_shards:,} shards{reused}")
    typer.echo(f"took     {report.seconds:.1f} s")
    _show_problems(manifest.problem_counts, report.problems)


def _show_pool(pool: "Pool") -> None:
    manifest = pool.manifest
    typer.echo(f"pool      {pool.url}")
    if manifest is None:
        typer.echo(f"rows      {pool.n_rows:,} in {len(pool.parts):,} metadata files")
        typer.echo(f"shards    {len(pool.shards):,}")
        _say_wrapped("index", f"none: it {pool.stale or 'is not indexed'}")
        typer.echo(f"next      datacomp pool index {pool.url}")
        return
    size = sum(part.size for part in manifest.parts) + sum(s.size for s in manifest.shards)
    dead = manifest.n_dead / max(manifest.n_rows, 1)
    typer.echo(f"pool id   {manifest.pool_id}")
    typer.echo(f"rows      {manifest.n_rows:,} in {len(manifest.parts):,} metadata files")
    if manifest.shards:
        typer.echo(f"samples   {manifest.n_samples:,} in {len(manifest.shards):,} shards")
        typer.echo(f"no image  {manifest.n_dead:,} rows ({dead:.1%}): dead links, as on the web")
    else:
        typer.echo("shards    none: metadata only")
    typer.echo(f"size      {size / 1e6:,.1f} MB, without features")
    _show_contents(pool)
    _show_problems(manifest.problem_counts, manifest.problems)


def _show_contents(pool: "Pool") -> None:
    manifest = pool.require_manifest()
    columns = dict.fromkeys(name for part in manifest.parts for name in part.columns)
    features = {key: shape[-1] for part in manifest.parts for key, shape in part.features.items()}
    dims = ", ".join(f"{key} ({dim})" for key, dim in features.items())
    _say_wrapped("columns", ", ".join(columns))
    _say_wrapped("features", dims or "none")
    if mix := manifest.origin.get("mix"):
        _say_wrapped("built", f"tiny, seed {manifest.origin['seed']}: {_shares(mix)}")
        _say_wrapped("scores", str(manifest.origin["scores"]))
    for source in manifest.sources:
        _say_wrapped("source", f"{source['what']} ({source['licence']})")


def _show_problems(counts: Mapping[str, int], problems: "Sequence[Problem]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from datacomp.pool.manifest import PROBLEM_KINDS

    if not counts:
        typer.echo("problems  none")
        return
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("problem", no_wrap=True)
    table.add_column("count", justify="right")
    table.add_column("what it means")
    for kind, count in counts.items():
        table.add_row(kind, f"{count:,}", PROBLEM_KINDS[kind])
    console.print(table)
    for kind, count in counts.items():
        shown = [problem for problem in problems if problem.kind == kind][:SHOWN_PROBLEMS]
        for problem in shown:
            where = f"{problem.file}, {problem.sample}" if problem.sample else problem.file
            console.print(f"{kind}: {where}: {problem.detail}", markup=False, soft_wrap=False)
        if count > len(shown):
            console.print(f"{kind}: {count - len(shown):,} more")


def _say_wrapped(label: str, text: str) -> None:
    from textwrap import fill

    typer.echo(fill(text, 80, initial_indent=f"{label:<10}", subsequent_indent=" " * 10))


def _shares(mix: Mapping[str, float]) -> str:
    total = sum(mix.values())
    return ", ".join(
        f"{kind.replace('_', ' ')} {share / total:.0%}" for kind, share in mix.items() if share
    )
