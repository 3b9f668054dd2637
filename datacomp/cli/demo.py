"""`datacomp demo`: the whole way on the tiny pool, ended by a table, a plot and an address."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datacomp.demo import DemoOutcome

app = typer.Typer()


@app.command()
def demo(
    output_dir: Annotated[
        Path, typer.Option("--output-dir", help="Folder of everything the demo makes.")
    ] = Path("demo"),
    serve: Annotated[bool, typer.Option("--serve", help="Keep the board up at the end.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of --serve.")] = 8000,
) -> None:
    """Build the tiny pool, filter it in five ways, train, evaluate, submit, show the board.

    Safe to interrupt and to repeat: what is done is not done again.
    """
    from datacomp.demo import demo_settings, run_demo
    from datacomp.progress import progress

    outcome = run_demo(output_dir.resolve(), progress)
    _print_table(outcome)
    _print_gaps(outcome)
    typer.echo(f"\nPlot   {outcome.plot}")
    settings = demo_settings(output_dir.resolve())
    if serve:
        from datacomp_server import serve as run_service

        typer.echo(f"Board  http://127.0.0.1:{port}/b/tiny (^C ends it)")
        run_service(settings, host="127.0.0.1", port=port)
    else:
        typer.echo(f"Board  http://127.0.0.1:{port}/b/tiny after: datacomp demo --serve")


def _print_table(outcome: "DemoOutcome") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title="The tiny board, in percent", title_justify="left", box=box.SIMPLE_HEAD)
    table.pad_edge, table.show_edge, table.padding = False, False, 0
    table.add_column("method", no_wrap=True)
    for heading in ("average", "spread", *outcome.results[0].groups, "subset", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in outcome.results:
        table.add_row(
            f"{result.name} *" if result.oracle else result.name,
            f"{100 * result.mean:.2f}",
            f"{100 * result.spread:.2f}",
            *(f"{100 * value:.1f}" for value in result.groups.values()),
            f"{result.subset_size:,}",
            f"{result.share:.0%}",
        )
    Console(highlight=False).print(table)
    typer.echo("* uses the truth that the pool's builder planted: a bound, not a competitor")
    typer.echo(
        f"spread: between the {len(outcome.results[0].averages)} seeds, largest less smallest"
    )


def _print_gaps(outcome: "DemoOutcome") -> None:
    typer.echo("")
    for gap in outcome.gaps:
        verdict = "more" if gap.holds else "NOT more"
        factor = f"{gap.gap / gap.spread:.1f} x" if gap.spread else "no"
        typer.echo(
            f"{gap.above} - {gap.below}: {100 * gap.gap:.2f} points, {factor} seed spread "
            f"({verdict} than twice)"
        )
