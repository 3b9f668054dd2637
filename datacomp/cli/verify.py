"""`datacomp verify`: does a run agree with what it says about itself?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption

if TYPE_CHECKING:
    from datacomp.training.verify import Check

app = typer.Typer()

RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A finished run's folder. Default: the newest one."),
]
PoolOption = Annotated[
    str | None, typer.Option("--pool", help="The pool that it was trained on, to draw batches.")
]
SubsetOption = Annotated[
    Path | None, typer.Option("--subset", help="The subset (.npy). Default: the whole pool.")
]


DataDirOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-dir", metavar="FOLDER[=WEIGHT]", help="The tars that it read in sequence; each."
    ),
]


@app.command()
def verify(
    run: RunArgument = None,
    pool: PoolOption = None,
    subset: SubsetOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a run's recipe, weights and log; with its data, what it was trained on.

    Recomputes the log's chain of hashes, the hashes of the weights and of the milestones, and the
    uids of the first batches; of tars also their sha256, where it is known. Exit code 1 if
    something does not agree.
    """
    from datacomp.cli.train_data import refuse_both
    from datacomp.errors import UsageError
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.subset import read_subset
    from datacomp.training.sources import open_sources, parse_source
    from datacomp.training.verify import verify_run
    from datacomp.workspace import Workspace

    refuse_both(data_dir, pool, subset)
    if subset and pool is None:
        raise UsageError("--subset is looked at in its pool: name it with --pool")
    folder = run or Workspace.find().newest_run()
    opened = open_pool(pool) if pool else None
    sources = open_sources([parse_source(text) for text in data_dir or ()], progress)
    checks = verify_run(folder, opened, read_subset(subset) if subset else None, sources)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        typer.echo(f"run        {folder}")
        _show(checks)
    if any(check.passed is False for check in checks):
        raise typer.Exit(1)


def _show(checks: "list[Check]") -> None:
    for check in checks:
        verdict = {True: "ok", False: "FAILED", None: "-"}[check.passed]
        typer.echo(f"{check.name:<11}{verdict:<7} {check.told}")
