"""How `datacomp filter list` prints the catalogue, 80 columns wide."""

import textwrap
from collections.abc import Sequence

from rich.console import Console

from datacomp.filtering.catalogue import CatalogueRow

_LEGEND = """\
select  cuts by columns of the pool              row   computes, row by row
image   computes from the pictures               pool  compares rows with others
fit     learns or counts something first         -     no time worth telling
Times are the filters' own guesses, for one worker; what is computed is stored."""


def show_catalogue(rows: Sequence[CatalogueRow]) -> None:
    """Three lines or so a filter: what it is and costs, what it does, what it reads."""
    console = Console(highlight=False)
    facts = [("filter", "kind", "a million rows")]
    facts += [(row.name, row.kind, _duration(row.seconds)) for row in rows]
    name, kind, time = (max(len(line[place]) for line in facts) for place in range(3))
    header, *lines = [f"{a:{name}}  {b:{kind}}  {c:>{time}}" for a, b, c in facts]
    console.print(header, markup=False)
    console.print("─" * min(console.width, len(header)), style="dim")
    for row, line in zip(rows, lines, strict=True):
        console.print(line, markup=False, style="bold")
        for told, style in ((row.summary, None), (row.error or _reads(row), "dim")):
            if told:
                console.print(_indented(told, console.width), markup=False, style=style)
    console.print(f"\n{_LEGEND}", markup=False)
    if examples := [f"{row.name} {row.example}" for row in rows if row.example]:
        console.print(f"\nrun one  datacomp filter run {examples[0]}", markup=False)


def _reads(row: CatalogueRow) -> str:
    """What a filter reads of the pool, what its fits take if more than seconds, and its paper."""
    facts = [f"reads {', '.join(row.needs) or 'uids only'}"]
    facts += [f"{name} takes {cost}" for name, cost in row.fits if cost != "seconds"]
    return ". ".join([*dict.fromkeys(facts), *([row.reference] if row.reference else [])])


def _duration(seconds: float) -> str:
    """To two digits or so, in the unit that people would say it in; "-" for no time."""
    if seconds < 1:
        return "-"
    for unit, size, most in (("s", 1, 100), ("min", 60, 7_200), ("h", 3_600, 2 * 86_400)):
        if seconds < most:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds / 86_400:,.0f} days"


def _indented(text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="    ")
