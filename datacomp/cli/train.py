"""`datacomp train`: the fixed recipe of a scale on a subset of a pool."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import (
    PoolOption,
    ScaleOption,
    SeedOption,
    SubsetOption,
    print_problems,
)
from datacomp.cli.train_data import (
    Chosen,
    DataDirOption,
    open_subset,
    open_tars,
    refuse_both,
)
from datacomp.training.data import OnError
from datacomp.training.sinks import SinkName

if TYPE_CHECKING:
    from datacomp.training import Recipe, RunRecord
    from datacomp.training.sinks import Sinks

app = typer.Typer(add_completion=False)

VariantOption = Annotated[
    str | None,
    typer.Option("--variant", metavar="NAME", help="Of the recipe, such as sequential."),
]
OutputDirOption = Annotated[
    Path | None,
    typer.Option("--output-dir", help="The run's folder. Default: in the workspace's runs/."),
]
OnErrorOption = Annotated[
    OnError, typer.Option("--on-error", help="At a broken sample: stop, or replace and count.")
]
DeviceOption = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, ... Default: a GPU if there is one.")
]
ThreadsOption = Annotated[
    int, typer.Option("--decode-threads", min=1, metavar="N", help="That decode pictures.")
]
CheckpointOption = Annotated[
    float,
    typer.Option("--checkpoint-seconds", min=0, metavar="S", help="Time between checkpoints."),
]
GradCheckpointingOption = Annotated[
    float,
    typer.Option(
        "--grad-checkpointing",
        min=0,
        max=1,
        metavar="X",
        help="Compute this share of the transformers' blocks twice: less memory, more time.",
    ),
]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Translate the transformers first (torch.compile).")
]
MicroBatchOption = Annotated[
    int | None,
    typer.Option(
        "--micro-batch", min=1, metavar="N", help="Rows in one graph: less memory, same result."
    ),
]
MilestonesOption = Annotated[
    bool | None,
    typer.Option(
        "--milestones/--no-milestones",
        help="Keep the weights at each fifth of the run. Default: if the run is long.",
    ),
]
SinkOption = Annotated[
    list[SinkName] | None,
    typer.Option(
        "--sink",
        metavar="NAME",
        help="The log goes there as well: tensorboard, wandb, trackio. May be repeated.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what the run would take, and write nothing.")
]


@app.command()
def train(
    scale: ScaleOption = None,
    variant: VariantOption = None,
    subset: SubsetOption = None,
    pool: PoolOption = None,
    data_dir: DataDirOption = None,
    output_dir: OutputDirOption = None,
    seed: SeedOption = None,
    on_error: OnErrorOption = OnError.STOP,
    device: DeviceOption = None,
    decode_threads: ThreadsOption = 1,
    checkpoint_seconds: CheckpointOption = 300,
    milestones: MilestonesOption = None,
    grad_checkpointing: GradCheckpointingOption = 0.0,
    compile_: CompileOption = False,
    micro_batch: MicroBatchOption = None,
    sink: SinkOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Train the fixed recipe of a scale on a subset (default: the whole pool).

    Stopped at any moment, the same command goes on from the last checkpoint.
    At SIGTERM and SIGUSR1 the run saves first, and exits with 75. A sink that
    fails does not stop it: that is told at the end, with exit code 1.

    On several GPUs: torchrun --nproc-per-node 8 -m datacomp train ..., with the
    same result up to rounding.
    """
    from datacomp.cli.forecast import show_forecast
    from datacomp.progress import NoProgress, progress
    from datacomp.training import Systems, load_scale, train_on
    from datacomp.training.devices import default_device, demand_device, is_first_process
    from datacomp.training.dry_run import forecast
    from datacomp.training.sinks import open_sinks
    from datacomp.workspace import Workspace

    workspace = Workspace.find()
    refuse_both(data_dir, pool, subset)
    variant = variant or ("sequential" if data_dir else None)
    recipe = load_scale(scale or workspace.scale, variant)
    trained = f"{recipe.scale}-{variant}" if variant else recipe.scale
    chosen = (
        open_tars(data_dir, on_error)
        if data_dir
        else open_subset(workspace, recipe.scale, pool, subset, on_error)
    )
    name = chosen.origin.subset.name
    seed = workspace.seed if seed is None else seed
    folder = output_dir or workspace.runs / f"{trained}-{name}-seed{seed}"
    demand_device(device := device or default_device())
    systems = Systems(
        device=device,
        decode_threads=decode_threads,
        checkpoint_seconds=checkpoint_seconds,
        grad_checkpointing=grad_checkpointing,
        compile=compile_,
        micro_batch=micro_batch,
        milestones=milestones,
        stop_at_signals=True,
    )
    first = is_first_process()
    sinks = open_sinks(sink or () if first else ())
    if first:
        _print_plan(recipe, variant, chosen, folder, systems.device)
    if dry_run:
        if first:
            found = forecast(recipe, chosen.data, chosen.origin, folder, seed=seed, systems=systems)
            show_forecast(found, systems)
        return
    total = recipe.steps * recipe.global_batch_size
    show = progress(f"train {name}", total, unit="images") if first else nullcontext(NoProgress())
    with sinks, show as bar:
        record = train_on(
            recipe,
            chosen.data,
            chosen.origin,
            folder,
            seed=seed,
            systems=systems,
            progress=bar,
            sinks=sinks,
        )
    if first:
        _print_result(record, folder)
        _demand_sinks(sinks)


def _print_plan(
    recipe: "Recipe", variant: str | None, chosen: Chosen, folder: Path, device: str
) -> None:
    subset = chosen.origin.subset
    samples = recipe.steps * recipe.global_batch_size
    name = f"{recipe.scale}, variant {variant}" if variant else recipe.scale
    typer.echo(f"recipe   {name}, id {recipe.recipe_id[:12]}")
    for line in chosen.lines:
        typer.echo(line)
    seen = f"seen {samples / subset.n:,.1f} times"
    each = f"{seen} on average" if len(chosen.origin.sources) > 1 else f"each {seen}"
    typer.echo(f"subset   {subset.name}, {subset.n:,} entries, {each}")
    typer.echo(
        f"steps    {recipe.steps:,} of {recipe.global_batch_size:,} pairs, {samples:,} in all"
    )
    typer.echo(f"run      {folder} on {device}")


def _print_result(record: "RunRecord", folder: Path) -> None:
    print_problems(record.pool_problems)
    if record.dead_links:
        typer.echo(
            f"dead     {record.dead_links:,} entries of the subset are in no shard: left out"
        )
    if record.broken_samples:
        typer.echo(f"broken   {len(record.broken_samples):,} samples, replaced; see run.json")
    typer.echo(f"weights  sha256 {record.checkpoint_sha256}")
    typer.echo(f"next     datacomp evaluate {folder}")


def _demand_sinks(sinks: "Sinks") -> None:
    """Exit code 1 if a sink missed something: the run is whole, but not all of it worked."""
    for name, failure in sinks.failures.items():
        what = f"{failure.missed:,} lines not sent" if failure.missed else "failed at its end"
        typer.echo(f"sink {name}: {what}; {failure.reason}. The run is whole.", err=True)
    if sinks.failures:
        raise typer.Exit(1)
