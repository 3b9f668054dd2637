"""How `datacomp train --dry-run` prints what a run would take."""

from typing import TYPE_CHECKING

import typer

from datacomp.training.dry_run import ASSUMED_MFU

if TYPE_CHECKING:
    from datacomp.training import Systems
    from datacomp.training.dry_run import Forecast

_BEFORE = {
    "finished": "finished already; training would only verify it",
    "unfinished": "there already, unfinished; training would go on from its last checkpoint",
    None: "not there yet",
}


def show_forecast(found: "Forecast", systems: "Systems") -> None:
    """Lines after those of the plan; ends with where the hours come from."""
    memory = found.memory
    devices = systems.device if found.world == 1 else f"{found.world} x {systems.device}"
    peak = "unknown" if found.peak is None else f"{found.peak / 1e12:,.3g} TFLOP/s each"
    typer.echo(f"folder   {_BEFORE[found.before]}")
    typer.echo(f"devices  {devices}, peak {peak}")
    typer.echo(f"FLOPs    {found.flops:.3g} in all")
    typer.echo(f"memory   {_size(memory.total)} a device, expected:")
    typer.echo(f"           {_size(memory.weights)} weights, {_size(memory.moments)} moments,")
    kinds = "gradients, activations and logits"
    typer.echo(f"           {_size(memory.step)} {kinds}, {memory.rows:,} pairs in one graph")
    typer.echo(f"         {_size(memory.host)} of the machine's, a process: batches, checkpoints")
    typer.echo(f"hours    {_hours(found)}")


def _hours(found: "Forecast") -> str:
    if found.hours is None or found.mfu is None:
        return "not known: nor is the peak of this device"
    rate = found.samples / found.hours / 3600
    time = _number(found.hours) if found.hours >= 1 else f"{_number(found.hours * 60)} minutes"
    how = f"if {ASSUMED_MFU:.0%} of the peak is used; nothing was measured"
    if found.tried_pairs:
        how = f"by steps of {found.tried_pairs} random pairs here, reading not included"
    return f"{time} expected, {_number(rate)} images/s, MFU {found.mfu:.0%},\n         {how}"


def _size(size: int) -> str:
    if size < 1e9:
        return f"{size / 1e6:,.0f} MB"
    return f"{size / 1e9:.2f} GB" if size < 10e9 else f"{size / 1e9:,.0f} GB"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
