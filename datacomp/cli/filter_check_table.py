"""How `datacomp filter check` prints: a line a check, then what failed and how to mend it."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from datacomp.errors import FilterError
from datacomp.filtering.conformance import CHECKS, Result
from datacomp.filtering.conformance.subject import Subject
from datacomp.progress import progress

_STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim"}
_SHOWN = 400


def run_shown(subject: Subject) -> list[Result]:
    """Run all checks with a progress bar."""
    results = []
    with progress(f"check {subject.chosen.name}", len(CHECKS), unit="checks") as shown:
        for check in CHECKS:
            results.append(check.run(subject))
            shown.advance(1, check.name)
    return results


def show_results(results: Sequence[Result]) -> None:
    """The table, then each failure: the rule, what was expected, what came, what to do."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("check", "", "what it demands, or why it was skipped"):
        table.add_column(column, overflow="fold")
    rules = {check.name: check.rule for check in CHECKS}
    for result in results:
        status = Text(result.status, style=_STYLES[result.status])
        table.add_row(result.check, status, Text(result.why or rules[result.check]))
    console.print(table)
    for result in results:
        if result.status == "failed":
            console.print(f"\n{result.check} [bold red]failed[/]")
            for word, said in (
                ("expected", result.expected),
                ("came", result.came),
                ("mend it", result.mend),
            ):
                lines = Table.grid(padding=(0, 2))
                lines.add_row(Text(f"{word:8}"), Text(_cut(said), overflow="fold"))
                console.print(Padding(lines, (0, 0, 0, 2)))
    counts = Counter[str](result.status for result in results)
    console.print("\n" + ", ".join(f"{counts[status]} {status}" for status in _STYLES))


def demand_passed(name: str, results: Sequence[Result]) -> None:
    """`FilterError` naming the checks that failed."""
    if failed := [result.check for result in results if result.status == "failed"]:
        raise FilterError(
            f"filter {name!r} fails {len(failed)} of {len(results)} checks: {', '.join(failed)}"
        )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
