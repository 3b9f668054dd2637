"""`datacomp demo`: the whole way on the tiny pool, ended by a table, a plot and an address."""

import textwrap
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
    methods: Annotated[
        str,
        typer.Option(help="baselines, all (an hour or two), or names with commas between."),
    ] = "baselines",
    seeds: Annotated[int, typer.Option(min=1, help="Training runs of each method.")] = 2,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the board up at the end.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of --serve.")] = 8000,
) -> None:
    """Build the tiny pool, filter it in five ways, train, evaluate, submit, show the board.

    A worker evaluates the weights again, so that the board has ranks by evidence.

    Safe to interrupt and to repeat: what is done is not done again.

    With --methods all, the filters that learn stand beside the five, all at 30% of the pool unless
    their rule decides how much they keep.
    """
    from datacomp.demo import demo_settings, find_methods, run_demo
    from datacomp.progress import progress

    folder, chosen = output_dir.resolve(), find_methods(methods)
    outcome = run_demo(folder, progress, methods=chosen, seeds=seeds)
    _print_table(outcome)
    _print_ranks(outcome)
    if seeds > 1:
        _print_gaps(outcome)
        _print_verdicts(outcome)
    typer.echo(f"\nPlot   {outcome.plot}")
    typer.echo(f"Noise  {outcome.report}")
    settings = demo_settings(folder)
    if serve:
        from datacomp_server import serve as run_service

        def announce(bound: int) -> None:
            typer.echo(f"Board  http://127.0.0.1:{bound}/b/tiny (^C ends it)")

        run_service(settings, host="127.0.0.1", port=port, announce=announce)
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
    seeds = len(outcome.results[0].averages)
    if seeds > 1:
        typer.echo(f"spread: standard deviation over the {seeds} seeds")
    else:
        typer.echo("one seed: there is no spread, so that no gap says anything")


def _print_ranks(outcome: "DemoOutcome") -> None:
    """Which ranks the service gives, and what they rest on."""
    from datacomp.submission.levels import parse_level

    rows = outcome.board["rows"]
    lowest = min(parse_level(row["level"]) for row in rows)
    ranks = ", ".join(f"{row['rank']} {row['method']}" for row in rows if row["rank"])
    text = f"level: {lowest.label} ({lowest.meaning}); ranks: {ranks or 'none'}"
    typer.echo(textwrap.fill(text, 80))


def _print_gaps(outcome: "DemoOutcome") -> None:
    typer.echo("")
    for gap in outcome.gaps:
        verdict = "more" if gap.holds else "NOT more"
        factor = f"{gap.gap / gap.spread:.1f} x" if gap.spread else "no"
        typer.echo(
            f"{gap.above} - {gap.below}: {100 * gap.gap:.2f} points, {factor} seed spread "
            f"({verdict} than twice)"
        )


def _print_verdicts(outcome: "DemoOutcome") -> None:
    """Where the others stand beside the strongest baseline."""
    from datacomp.demo import BASELINES, gaps_to

    yardstick, known = "clip_score 30%", {method.name for method in BASELINES}
    found = [gap for gap in gaps_to(outcome.results, yardstick) if gap.above not in known]
    sorts = {
        "above": [gap.above for gap in found if gap.holds],
        "below": [gap.above for gap in found if gap.reversed],
        "within": [gap.above for gap in found if not (gap.holds or gap.reversed)],
    }
    if found:
        typer.echo(f"\nBeside {yardstick}, by more than twice the seed spread, or within it:")
    for verdict, names in sorts.items():
        if names:
            line = f"{verdict:7}{', '.join(names)}"
            typer.echo(textwrap.fill(line, 80, subsequent_indent=" " * 7))
