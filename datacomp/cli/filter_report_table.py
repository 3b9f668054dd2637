"""How `datacomp filter report` prints: a line a filter, 80 columns wide."""

import textwrap

from rich import box
from rich.console import Console
from rich.table import Table

from datacomp.filtering.report_files import footnote, noise_kinds
from datacomp.filtering.reporting import Report

# Heads of the tiny pool's kinds, so that a table of nine columns stays within 80.
_HEADS = {
    "wrong_caption": "wrong\ncapt.",
    "other_language": "other\nlang.",
    "junk": "junk",
    "text_shortcut": "text\nshort.",
    "bad_geometry": "bad\ngeom.",
    "near_duplicate": "near\ndup.",
}


def show_report(report: Report) -> None:
    """AUROCs by kind, what is kept of the pool, and the share of true captions in that."""
    console, kinds = Console(highlight=False), noise_kinds(report)
    table = Table(
        title=f"AUROC of clean rows against planted noise, {sum(report.rows.values()):,} rows",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("\nfilter", overflow="fold")
    heads = [_HEADS.get(kind, kind.replace("_", "\n")) for kind in kinds]
    for head in ("over-\nall", *heads, "\nkept", "true in\nkept"):
        table.add_column(head if "\n" in head else f"\n{head}", justify="right", no_wrap=True)
    for one in report.filters:
        values = [one.overall, *(one.against[kind] for kind in kinds)]
        table.add_row(
            one.name if one.ranks else f"{one.name} *",
            *("-" if value is None else f"{value:.3f}" for value in values),
            f"{one.kept_share:.0%}",
            "-" if one.true_share is None else f"{one.true_share:.1%}",
        )
    console.print(table)
    kept = f"Kept are the best {report.fraction:.0%} by score, whatever cut a filter makes itself."
    notes = [footnote(report), f"{kept} Of the pool's captions {report.true_share:.1%} are true."]
    if unscored := [f"{one.name} {one.unscored:,}" for one in report.filters if one.unscored]:
        notes.append(f"Rows without a score, which rank last: {', '.join(unscored)}.")
    for note in notes:
        console.print(textwrap.fill(note, console.width), markup=False)
