"""`datacomp filter report`: which filter finds which noise, on a pool that knows what is noise."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption, PoolOption, WorkersOption, foreign_code

if TYPE_CHECKING:
    from datacomp.filtering import Filter

app = typer.Typer(add_completion=False)


@app.command("report")
def report_(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT",
            help="A filter's name (with the parameters of its example), a quoted "
            "'NAME PARAMETER=VALUE ...', a selection.yaml, or a .lock.json.",
        ),
    ],
    pool: PoolOption = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Score store. Default: the workspace's scores/.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the picture, CSV and JSON.")
    ] = None,
    fraction: Annotated[
        float, typer.Option(min=0, max=1, help="The share of the rows that each filter keeps.")
    ] = 0.3,
    workers: WorkersOption = 1,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", help="Python file with filters; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare filters with the truth of a pool that records it, as the tiny pool does.

    Computes what the score store lacks; after `datacomp filter run` of each, that is nothing.
    """
    from datacomp.cli.filter_report_table import show_report
    from datacomp.filtering import LocalExecutor, load_plugin
    from datacomp.filtering.report_files import demand_writable, write_report
    from datacomp.filtering.reporting import report
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.workspace import Workspace

    workspace = Workspace.find()
    if output:
        demand_writable(output)
    with foreign_code():
        for path in plugin or []:
            load_plugin(path)
        chosen = [_filter(one) for one in what]
        filters = dict(zip(_labels(what), chosen, strict=True))
        opened = open_pool(pool or workspace.pool_for(workspace.scale))
        place = LocalExecutor(workers)
        found = report(filters, opened, store or workspace.scores, fraction, place, progress)
    written = write_report(found, output) if output else ()
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
        return
    show_report(found)
    for path in written:
        typer.echo(f"wrote    {path}")


def _filter(what: str) -> "Filter":
    from datacomp.errors import UsageError
    from datacomp.filtering import filter_class, filter_from_words
    from datacomp.filtering.selection_file import is_selection, read_selection

    if is_selection(what):
        return read_selection(Path(what))
    try:
        name, *words = shlex.split(what) or [what]
    except ValueError as error:
        raise UsageError(f"{what!r} is no filter with parameters: {error}") from error
    kind = filter_class(name)
    return filter_from_words(kind, words or kind.example.split())


def _labels(what: Sequence[str]) -> list[str]:
    """What each is called in the report: its first word or file name; all of it if that is shared.

    `UsageError` if the same is asked for twice.
    """
    from datacomp.errors import UsageError

    if doubled := [one for one, n in Counter(what).items() if n > 1]:
        raise UsageError(f"{doubled[0]!r} stands there twice")
    short = [_label(one) for one in what]
    shared = {label for label, n in Counter(short).items() if n > 1}
    return [one if label in shared else label for one, label in zip(what, short, strict=True)]


def _label(what: str) -> str:
    from datacomp.filtering.selection_file import is_selection

    return Path(what).name.partition(".")[0] if is_selection(what) else what.split()[0]
