"""`datacomp filter`: list filters, explain what one would do, run it into a subset file."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli import filter_authors, filter_concepts, filter_fit, filter_report
from datacomp.cli.options import (
    JsonOption,
    MaxMemory,
    PoolOption,
    WorkersOption,
    foreign_code,
    parse_size,
    print_problems,
)

if TYPE_CHECKING:
    from datacomp.filtering import Executor, Filter
    from datacomp.workspace import Workspace

# A row is read once to select, and twice more for each step: to look it up and to compute it.
READS = "row reads"

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, explain, run, write and check filters."
)
app.add_typer(filter_fit.app)
app.add_typer(filter_authors.app)
app.add_typer(filter_report.app)
app.add_typer(filter_concepts.app)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FILE",
        help="A filter (see: datacomp filter list), a selection.yaml, or a .lock.json.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Default: subsets/NAME-PARAMETERS.npy")
]
GpusPerWorker = Annotated[
    float, typer.Option(help="GPUs that each worker sees; below 1, workers share one.")
]
ExecutorOption = Annotated[str, typer.Option(help="local (processes) or ray (a cluster).")]
RayAddress = Annotated[
    str | None, typer.Option(help="Of the Ray cluster. Default: RAY_ADDRESS, or a local one.")
]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="[PARAMETER=VALUE]...", help="Such as fraction=0.3")
]
Plugin = Annotated[
    list[Path] | None, typer.Option("--plugin", help="Python file with filters; may be repeated.")
]
Store = Annotated[
    Path | None, typer.Option("--store", help="Score store. Default: the workspace's scores/.")
]


@app.command("list")
def list_(plugin: Plugin = None, as_json: JsonOption = False) -> None:
    """List the filters that are installed or loaded."""
    from datacomp.cli.filter_list_table import show_catalogue
    from datacomp.filtering.catalogue import catalogue

    _load(plugin)
    rows = catalogue()
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        show_catalogue(rows)


@app.command("explain")
def explain_(
    name: Name,
    words: Words = None,
    pool: PoolOption = None,
    store: Store = None,
    plugin: Plugin = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a filter would do on a pool: rules, columns, what is stored, what it costs."""
    from datacomp.cli.filter_tables import show_plan
    from datacomp.filtering import explain
    from datacomp.filtering.spec import producers
    from datacomp.pool import open_pool
    from datacomp.progress import progress

    workspace, chosen = _workspace(), _filter(name, words, plugin)
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    passes = len(producers(chosen).steps)
    with foreign_code(), progress(name, opened.n_rows * passes, unit=READS) as shown:
        plan = explain(chosen, opened, store or workspace.scores, shown)
    if as_json:
        typer.echo(json.dumps(plan.to_json(), indent=2))
    else:
        show_plan(plan)


@app.command("run")
def run_(
    name: Name,
    words: Words = None,
    pool: PoolOption = None,
    output: Output = None,
    store: Store = None,
    workers: WorkersOption = 1,
    gpus_per_worker: GpusPerWorker = 0,
    executor: ExecutorOption = "local",
    ray_address: RayAddress = None,
    max_memory: MaxMemory = "64M",
    plugin: Plugin = None,
    as_json: JsonOption = False,
) -> None:
    """Run a filter, a selection file or a lock on a pool; write the subset with its lock file.

    A lock is run again as it stands, and the result must be the same subset.
    """
    from datacomp.cli.filter_tables import show_failures, show_result
    from datacomp.filtering import PartsFailed, rows_to_pass, run_filter
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.subset import read_lock

    workspace, chosen = _workspace(), _filter(name, words, plugin)
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    path = _output(name, output or workspace.subsets / _file_name(name, words or []))
    place = _executor(executor, workers, gpus_per_worker, ray_address)
    room = parse_size(max_memory)
    total = rows_to_pass(chosen, opened)
    try:
        with foreign_code(), progress(Path(name).name, total, unit=READS) as shown:
            result = run_filter(chosen, opened, store or workspace.scores, place, shown, room)
    except PartsFailed as error:
        show_failures(error.steps)
        raise
    facts = result.write(path)
    if as_json:
        typer.echo(json.dumps({"file": str(path), **(read_lock(path) or {})}, indent=2))
    else:
        print_problems(result.lock["pool_problems"])
        show_result(path, result, facts, workspace.scale)
    _demand_same(name, path, facts.sha256)


def _workspace() -> "Workspace":
    from datacomp.workspace import Workspace

    return Workspace.find()


def _load(plugins: list[Path] | None) -> None:
    from datacomp.filtering import load_plugin

    with foreign_code():
        for plugin in plugins or []:
            load_plugin(plugin)


def _filter(name: str, words: list[str] | None, plugins: list[Path] | None) -> "Filter":
    from datacomp.errors import UsageError
    from datacomp.filtering import filter_class, filter_from_words
    from datacomp.filtering.selection_file import is_selection, read_selection

    _load(plugins)
    if not is_selection(name):
        return filter_from_words(filter_class(name), words or [])
    if words:
        raise UsageError(f"{name} holds its parameters itself; change them there, not here")
    return read_selection(Path(name))


def _executor(kind: str, workers: int, gpus_per_worker: float, address: str | None) -> "Executor":
    from datacomp.errors import UsageError
    from datacomp.filtering import LocalExecutor

    if kind == "ray":
        from datacomp.filtering.ray_executor import RayExecutor

        return RayExecutor(workers, gpus_per_worker, address)
    if kind != "local":
        raise UsageError(f"an executor is local or ray, got {kind!r}")
    if address is not None:
        raise UsageError("--ray-address is for --executor ray")
    return LocalExecutor(workers, gpus_per_worker)


def _output(name: str, path: Path) -> Path:
    """Where the subset goes; `UsageError` if its lock would replace the one that is run again."""
    from datacomp.errors import UsageError
    from datacomp.subset.blocks import demand_output, lock_path

    if lock_path(demand_output(path)).resolve() == Path(name).resolve():
        raise UsageError(
            f"writing {path} would replace {name}, so that nothing tells whether the subset is "
            "the same. Name another file with -o"
        )
    return path


def _demand_same(name: str, path: Path, sha256: str) -> None:
    """Of a lock that was run again: the subset must be the one that it promises."""
    from datacomp.errors import FilterError
    from datacomp.filtering.selection_file import locked_sha256

    promised = locked_sha256(Path(name))
    if promised is not None and promised != sha256:
        old, new = (json.loads(Path(lock).read_text()) for lock in (name, f"{path}.lock.json"))
        facts = ("selection", "plugins", "keys", "pool_id", "counts", "versions")
        differ = [fact for fact in facts if old.get(fact) != new.get(fact)]
        raise FilterError(
            f"{path} is not the subset that {name} promises: its sha256 is {sha256}, the lock's "
            f"{promised}. Their locks differ in: {', '.join(differ) or 'nothing else'}. (keys: "
            "steps, their assets, and the columns that they read)"
        )


def _file_name(name: str, words: list[str]) -> str:
    """`clip_score-fraction=0.3.npy`; what does not belong into a file name becomes `_`."""
    from datacomp.filtering.selection_file import LOCK_SUFFIX

    if name.endswith(LOCK_SUFFIX):
        name = name.removesuffix(LOCK_SUFFIX).removesuffix(".npy") + "-again"
    stem = Path(name).name.removesuffix(".yaml").removesuffix(".yml")
    return re.sub(r"[^\w.=+-]+", "_", "-".join([stem, *words]))[:120] + ".npy"
