"""How `datacomp filter` prints: a plan, a result, failures. 80 columns wide."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from datacomp.filtering import FilterResult, Plan
from datacomp.filtering.compute import StepReport
from datacomp.filtering.plan import FitPlan
from datacomp.subset.blocks import SubsetFacts

SHOWN_FAILURES = 20
SHOWN_ASSETS = 8


def show_plan(plan: Plan) -> None:
    """The rules in force, what is read, and what is stored or must be computed."""
    spec, console = plan.spec, _console()
    params = spec.params if isinstance(spec.params, dict) else {}
    shown = [
        f"{key}={value}" for key, value in params.items() if isinstance(value, str | int | float)
    ]
    console.print(" ".join([spec.name, *shown]))
    for rule in plan.chosen.rules():
        console.print(_hanging(rule, console.width), markup=False)
    console.print(
        f"pool     {plan.pool.url}: {plan.pool.n_rows:,} rows in {len(plan.pool.parts):,} parts\n"
        f"reads    {', '.join([*spec.columns, *spec.features]) or 'uids only'}",
        soft_wrap=True,
    )
    for asset, digest in list(spec.assets.items())[:SHOWN_ASSETS]:
        console.print(f"asset    {asset}, sha256 {digest[:12]}", soft_wrap=True)
    if (more := len(spec.assets) - SHOWN_ASSETS) > 0:
        console.print(f"         and {more:,} more files; all of them: --json")
    for fit in plan.fits:
        line = f"fit      {fit.spec.name}: {_state(fit)}"
        console.print(textwrap.fill(line, console.width, subsequent_indent=" " * 9), markup=False)
    if not plan.steps:
        console.print("computes nothing: it selects from what the pool carries")
        return
    table = _table("step", "one worker", numbers=("parts stored", "to compute", "rows"))
    for step in plan.steps:
        stored, missing = len(step.tasks) - len(step.missing), len(step.missing)
        cost = f"about {step.worker_seconds:,.1f} s" if missing else "nothing"
        table.add_row(step.spec.name, cost, f"{stored:,}", f"{missing:,}", f"{step.rows_missing:,}")
    console.print(table)
    if plan.image_rows:
        seeing = ", ".join(step.spec.name for step in plan.steps if step.spec.images)
        console.print(f"decodes  {plan.image_rows:,} pictures, once for all of: {seeing}")


def show_result(path: Path, result: FilterResult, facts: SubsetFacts, scale: str) -> None:
    """What was kept, why the rest was dropped, where it stands, and what to do next."""
    counts, console = result.counts, _console()
    rows = max(counts.rows, 1)
    console.print(
        f"kept     {counts.kept:,} of {counts.rows:,} rows ({counts.kept / rows:.1%})\n"
        f"subset   {facts.n:,} entries, {facts.n_unique:,} different uids\n"
        f"sha256   {facts.sha256}"
    )
    if counts.dropped:
        table = _table("dropped because", numbers=("rows", "share"))
        for reason, n in counts.dropped.items():
            table.add_row(reason, f"{n:,}", f"{n / rows:.1%}")
        console.print(table)
    for step in result.steps:
        unseen = ""
        if step.no_image or step.broken_image:
            unseen = f"; rows without picture {step.no_image:,}, broken {step.broken_image:,}"
        console.print(
            f"step     {step.name}: {step.done} parts computed, {step.reused} reused{unseen}"
        )
    console.print(
        f"wrote    {path}\nnext     datacomp train --scale {scale} --subset {path}", soft_wrap=True
    )


def show_failures(steps: Sequence[StepReport]) -> None:
    """What became of the parts, and the errors, on stderr."""
    console = Console(stderr=True, highlight=False)
    table = _table("step", numbers=("done", "reused", "failed"))
    for step in steps:
        table.add_row(step.name, str(step.done), str(step.reused), str(len(step.failed)))
    console.print(table)
    for step in steps:
        for part, error in list(step.failed.items())[:SHOWN_FAILURES]:
            console.print(f"{part}: {error}", markup=False, soft_wrap=True)


def _state(fit: FitPlan) -> str:
    if fit.stored:
        return "stored"
    if not fit.missing:
        return "not stored, and nothing needs it any more"
    return f"to compute, once ({fit.fit.cost})"


def _hanging(rule: str, width: int) -> str:
    """A rule below its heading; lines after the first stand further in."""
    indent = "  " + rule[: len(rule) - len(rule.lstrip())]
    return textwrap.fill(
        rule.lstrip(), width, initial_indent=indent, subsequent_indent=indent + "  "
    )


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _console() -> Console:
    return Console(highlight=False)
