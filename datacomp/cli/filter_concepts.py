"""`datacomp filter concepts`: how often each concept occurs in a pool's captions and images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datacomp.cli.options import JsonOption, PoolOption, WorkersOption

if TYPE_CHECKING:
    from datacomp_filters.concept_frequency import ConceptCounts, ConceptFrequency

app = typer.Typer(add_completion=False)


@app.command("concepts")
def concepts_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PARAMETER=VALUE...",
            help="Of the filter concept_frequency: concepts=FILE or target=POOL, search=joint, ...",
        ),
    ],
    pool: PoolOption = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Score store. Default: the workspace's scores/.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="CSV file with a line a concept.")
    ] = None,
    shown: Annotated[int, typer.Option(min=1, help="Concepts shown: the most common ones.")] = 20,
    workers: WorkersOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Count how often each concept occurs (arXiv 2404.04125).

    search=text counts captions, search=image images, search=joint either and both of one pair.
    """
    from datacomp.files import write_bytes
    from datacomp.filtering import filter_from_words
    from datacomp_filters.concept_frequency import ConceptFrequency

    chosen = filter_from_words(ConceptFrequency, words)
    assert isinstance(chosen, ConceptFrequency)
    found = _count(chosen, pool, store, workers)
    if output:
        write_bytes(output, found.to_csv().encode())
    if as_json:
        facts = {"rows": found.rows, "concepts": found.records()}
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    _show(found, shown)
    if output:
        typer.echo(f"wrote    {output}")


def _count(
    chosen: "ConceptFrequency", pool: str | None, store: Path | None, workers: int
) -> "ConceptCounts":
    from datacomp.filtering import LocalExecutor, rows_to_pass
    from datacomp.filtering.run import scored
    from datacomp.pool import open_pool
    from datacomp.progress import progress
    from datacomp.workspace import Workspace
    from datacomp_filters.concept_frequency import count_concepts

    workspace = Workspace.find()
    opened = open_pool(pool or workspace.pool_for(workspace.scale))
    total, place = rows_to_pass(chosen, opened), LocalExecutor(workers)
    with (
        progress("concepts", total, unit="row reads") as bar,
        scored(chosen, opened, store or workspace.scores, place, bar) as view,
    ):
        found = count_concepts(chosen, view)
        bar.advance(opened.n_rows, "count")
        return found


def _show(found: "ConceptCounts", shown: int) -> None:
    """The most common concepts, and how many occur nowhere."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    first = next(iter(found.counts))
    records = sorted(found.records(), key=lambda record: -int(record[first]))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("concept", overflow="fold")
    for search in found.counts:
        table.add_column(search, justify="right")
    for record in records[:shown]:
        table.add_row(escape(str(record["concept"])), *(f"{record[by]:,}" for by in found.counts))
    console = Console(highlight=False)
    console.print(table)
    if len(records) > shown:
        console.print(f"... and {len(records) - shown:,} more (all of them: -o FILE.csv)")
    nowhere = ", ".join(f"{by} {(counts == 0).sum():,}" for by, counts in found.counts.items())
    console.print(
        f"\n{found.rows:,} pairs, {len(records):,} concepts; of these occur nowhere: {nowhere}"
    )
