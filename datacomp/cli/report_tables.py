"""Tables of `datacomp report`, and the same as JSON values."""

import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import typer

from datacomp.evaluation.compare import Comparison, Difference
from datacomp.evaluation.paired import RESAMPLES
from datacomp.evaluation.results import Results
from datacomp.evaluation.standing import UNGROUPED, Block, Line, unfloored
from datacomp.reports import RunProvenance, TaskSpec

_MARKS = {"higher": "▲", "lower": "▼", "unclear": "·", None: "?"}


def show_standing(results: Results, blocks: tuple[Block, ...]) -> None:
    """The table of `report show`, on stdout."""
    from rich.console import Console

    for line in _facts(results):
        typer.echo(line)
    table = _table("task", "main metric", right=("value ± stderr", "chance", "noise"))
    for block in blocks:
        if block.mean is None:
            table.add_row(block.name, style="bold")
        else:
            table.add_row(*_cells(block.mean), style="bold")
        for task in block.tasks:
            table.add_row(*_cells(task, indent=" "))
        table.add_section()
    Console().print("", table, "", sep="\n")
    _say([*results.notes, *_footnotes(results, blocks)])


def standing_json(results: Results, blocks: tuple[Block, ...]) -> dict[str, Any]:
    """What `show_standing` prints, as JSON values."""
    *groups, average = blocks
    return {
        "path": str(results.path),
        "suite": results.suite.name,
        "submittable": results.report is not None
        and isinstance(results.report.provenance, RunProvenance),
        "unknown": list(results.unknown),
        "notes": list(results.notes),
        "average": _line_json(average.mean),
        "groups": {b.name: _line_json(b.mean) for b in groups if b.mean is not None},
        "tasks": {line.key: _line_json(line) for block in groups for line in block.tasks},
    }


def show_comparison(found: Comparison) -> None:
    """The table of `report compare`, on stdout."""
    from rich.console import Console

    for name, side in (("A", found.a), ("B", found.b)):
        typer.echo(f"{name}  {side.label}\n   {side.path}")
    table = _table("task", right=("A", "B", "B - A ± stderr", "95% interval"))
    table.add_column("")
    scored = found.a.suite.scored
    for group, mean in found.groups.items():
        table.add_row(*_difference_cells(group, mean), style="bold")
        _add_tasks(table, found, [spec for spec in scored if group in spec.groups])
    if rest := [spec for spec in scored if not spec.groups]:
        table.add_row(UNGROUPED, style="bold")
        _add_tasks(table, found, rest)
    table.add_row(*_difference_cells("Average", found.average), style="bold")
    Console().print("", table, "", sep="\n")
    _say(_reading(found))


def comparison_json(found: Comparison) -> dict[str, Any]:
    """What `show_comparison` prints, as JSON values, with p-values."""
    return {
        "a": str(found.a.path),
        "b": str(found.b.path),
        "suite": found.a.suite.name,
        "resamples": RESAMPLES,
        "average": _difference_json(found.average),
        "groups": {name: _difference_json(one) for name, one in found.groups.items()},
        "tasks": {key: _difference_json(one) for key, one in found.tasks.items()},
        "left_out": found.left_out,
    }


def _facts(results: Results) -> list[str]:
    lines = [f"report   {results.path}", f"suite    {results.suite.name}, {results.suite.title}"]
    if results.report is None:
        return [*lines, f"tasks    {len(results.tasks)} of {len(results.suite.tasks)}"]
    return [*lines, f"model    {results.label}"]


def _footnotes(results: Results, blocks: tuple[Block, ...]) -> list[str]:
    lines = []
    if results.unknown:
        lines.append(f"Not in suite {results.suite.name}: {', '.join(results.unknown)}.")
    if results.report is None:
        lines.append("An imported file has no provenance: it cannot be submitted.")
    elif results.report.suite.sha256 != results.suite.sha256:
        lines.append("Evaluated with another version of the suite: datacomp report check.")
    missing = unfloored(results.suite, blocks)
    if missing:
        lines.append(
            f"No noise floor (≥ takes it as 0): {', '.join(missing)}. It depends on the pictures "
            "of each class or group and is computed from outcomes/ beside a report."
        )
    return lines


def _cells(line: Line, indent: str = "") -> list[str]:
    value = line.status if line.value is None else _with_error(line.value, line.stderr)
    value = "" if line.status == "ok" and line.value is None else value
    noise = "" if line.floor.noise is None else f"{line.floor.noise:.4f}"
    if noise and line.floor.n_known < line.n_tasks:
        noise = f"≥{noise}"
    return [
        indent + line.name,
        line.metric or "no main metric",
        value,
        _number(line.floor.chance),
        noise,
    ]


def _line_json(line: Line | None) -> dict[str, Any] | None:
    if line is None:
        return None
    fields = asdict(line)
    floor = fields.pop("floor")
    return {**fields, **floor}


def _add_tasks(table: Any, found: Comparison, specs: Iterable[TaskSpec]) -> None:
    for spec in specs:
        if one := found.tasks.get(spec.key):
            table.add_row(*_difference_cells(f" {one.name}", one))
        else:
            table.add_row(f" {spec.name}", "", "", "not in both")
    table.add_section()


def _difference_cells(name: str, one: Difference | None) -> list[str]:
    if one is None:
        return [name, "", "", "incomplete"]
    value, interval = _with_error(one.value, one.spread.stderr if one.spread else None, "+"), ""
    if one.spread:
        interval = "{:+.4f} {:+.4f}".format(*one.spread.interval)
    mark = _MARKS[one.verdict] + ("" if one.paired else "*")
    return [name, f"{one.a:.4f}", f"{one.b:.4f}", value, interval, mark]


def _reading(found: Comparison) -> list[str]:
    n = len(found.tasks)
    lines = [
        "▲ B is higher, ▼ lower, · the interval holds zero. "
        f"If nothing differed, {0.05 * n:.1f} of {n} tasks would be marked. "
        "Training seeds are not in it; tasks count as independent."
    ]
    if not all(one.paired for one in found.tasks.values()):
        lines.append(
            "* not paired: outcomes/ is missing beside A or B. Both standard errors are taken as "
            "independent, which is too wide."
        )
    if any(one.spread is None for one in found.tasks.values()):
        lines.append("? no standard error on one side.")
    lines += [f"{key}: {why}" for key, why in found.left_out.items()]
    return lines


def _difference_json(one: Difference | None) -> dict[str, Any] | None:
    if one is None:
        return None
    known = asdict(one.spread) if one.spread else {"stderr": None, "interval": None, "p": None}
    return {
        "a": one.a,
        "b": one.b,
        "difference": one.value,
        **known,
        "paired": one.paired,
        "verdict": one.verdict,
    }


def _table(*left: str, right: Iterable[str]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _with_error(value: float, stderr: float | None, sign: str = "-") -> str:
    error = " " * len(" ± 0.0000") if stderr is None else f" ± {stderr:.4f}"
    return f"{round(value, 4) + 0.0:{sign}.4f}{error}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(textwrap.fill(line, 80, break_long_words=False))
