"""What `datacomp train` trains on: a subset of a pool, or tars in sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.errors import UsageError
from datacomp.training.data import OnError, RunData

if TYPE_CHECKING:
    from datacomp.training.run import Origin
    from datacomp.workspace import Workspace

DataDirOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER[=W]",
        help="Instead of pool and subset: tars to read in sequence, by path or fsspec URL; may be "
        "repeated.",
    ),
]


@dataclass(frozen=True)
class Chosen:
    """Data that are open; `lines` tell where they are."""

    data: RunData
    origin: "Origin"
    lines: tuple[str, ...]


def refuse_both(data_dir: Sequence[str] | None, pool: str | None, subset: Path | None) -> None:
    """`UsageError` if tars are named beside a pool or a subset."""
    if data_dir and (pool or subset):
        raise UsageError("--data-dir is read instead of --pool and --subset: leave one out")


def open_subset(
    workspace: "Workspace", scale: str, pool: str | None, subset: Path | None, on_error: OnError
) -> Chosen:
    """A subset of a pool, read by uid; the workspace's if none is named."""
    from datacomp.pool import open_pool
    from datacomp.subset import read_subset
    from datacomp.training.data import open_data, whole_pool
    from datacomp.training.run import origin_of

    opened = open_pool(pool or workspace.pool_for(scale))
    subset = subset or workspace.default_subset()
    chosen = read_subset(subset) if subset else whole_pool(opened)
    origin = origin_of(opened, chosen, subset.stem if subset else "whole_pool")
    return Chosen(open_data(opened, chosen, on_error), origin, (f"pool     {opened.url}",))


def open_tars(data_dir: Sequence[str], on_error: OnError) -> Chosen:
    """Sources by weight, read in sequence."""
    from datacomp.pool.indexing import silent
    from datacomp.progress import progress
    from datacomp.training.devices import is_first_process
    from datacomp.training.sources import open_sources, origin_of_sources, parse_source
    from datacomp.training.stream import SequentialData

    show = progress if is_first_process() else silent
    sources = open_sources([parse_source(text) for text in data_dir], show)
    origin, dead_links = origin_of_sources(sources)
    lines = []
    for each in sources:
        source = each.source
        weight = f", weight {each.weight}" if len(sources) > 1 else ""
        lines.append(f"source   {source.folder.url}, {source.n:,} samples{weight}")
        if source.without_picture:
            lines.append(f"         {source.without_picture:,} without a picture: left out")
    return Chosen(SequentialData(sources, dead_links, on_error), origin, tuple(lines))
