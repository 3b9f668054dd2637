"""Dot plots with error bars: a report by group, and the differences of two.

Colours are Okabe and Ito's; what a colour says, the marker says as well.
"""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datacomp.errors import EvaluationError, require
from datacomp.evaluation.compare import Comparison, Difference
from datacomp.evaluation.standing import Block, Line
from datacomp.files import write_bytes

INK, HIGHER, LOWER, MUTED = "#333333", "#0072B2", "#D55E00", "#8A8A8A"
_TITLE_WIDTH = 100
_VERDICTS = {"higher": (HIGHER, "o"), "lower": (LOWER, "s"), "unclear": (MUTED, "o")}


def draw_standing(blocks: Sequence[Block], title: str, path: Path) -> None:
    """Write a PNG: a task a row, a bar of one standard error each way, a tick at chance."""
    rows: list[Line | None] = []
    for block in blocks:
        lines = [*([block.mean] if block.mean else []), *(t for t in block.tasks if t.metric)]
        rows += [*lines, None] if lines else []
    figure, axes = _figure(len(rows) - 1)
    for y, line in enumerate(rows):
        if line is None or line.value is None:
            continue
        axes.errorbar(
            100 * line.value,
            y,
            xerr=100 * (line.stderr or 0),
            fmt="D" if line.is_mean else "o",
            color=HIGHER if line.is_mean else INK,
            markersize=6 if line.is_mean else 4.5,
            elinewidth=1.5,
            capsize=2,
        )
        if line.floor.chance is not None:
            axes.plot(100 * line.floor.chance, y, "|", color=LOWER, markersize=10)
    _name(axes, {y: (one.name, one.is_mean) for y, one in enumerate(rows) if one is not None})
    axes.set_xlabel("main metric (%), ± one standard error; upright tick: chance")
    _save(figure, title, path)


def draw_comparison(found: Comparison, title: str, path: Path) -> None:
    """Write a PNG: differences with their 95% intervals, means first, then tasks by size."""
    means = [one for one in (found.average, *found.groups.values()) if one is not None]
    tasks = sorted(found.tasks.values(), key=lambda one: -one.value)
    rows: list[Difference | None] = [*means, *([None] if means else []), *tasks]
    figure, axes = _figure(len(rows))
    axes.axvline(0, color=MUTED, linewidth=1)
    for y, one in enumerate(rows):
        if one is None:
            continue
        color, marker = _VERDICTS[one.verdict] if one.verdict else (MUTED, "x")
        if one.spread:
            low, high = one.spread.interval
            style = "-" if one.paired else (0, (3, 2))
            axes.plot([100 * low, 100 * high], [y, y], color=color, linewidth=1.5, linestyle=style)
        face = color if one.verdict in ("higher", "lower") else "white"
        axes.plot(100 * one.value, y, marker, color=color, markerfacecolor=face, markersize=5.5)
    names = {y: (one.name, y < len(means)) for y, one in enumerate(rows) if one is not None}
    _name(axes, names)
    every = all(one.paired for one in found.tasks.values())
    axes.set_xlabel(
        "difference in points, with 95% interval; filled: the interval excludes zero"
        + ("" if every else "\ndashed: not paired; cross: no standard error")
    )
    _save(figure, title, path)


def _figure(n_rows: int) -> tuple[Any, Any]:
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    size = (8, 1.5 + 0.24 * n_rows)
    figure, axes = pyplot.subplots(figsize=size, dpi=150, layout="constrained")
    axes.set_ylim(n_rows - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def _name(axes: Any, names: dict[int, tuple[str, bool]]) -> None:
    axes.set_yticks(list(names), [name for name, _ in names.values()], fontsize=9)
    for label, (_, strong) in zip(axes.get_yticklabels(), names.values(), strict=True):
        label.set_fontweight("bold" if strong else "normal")


def _save(figure: Any, title: str, path: Path) -> None:
    lines = textwrap.fill(title, _TITLE_WIDTH)
    figure.suptitle(lines, x=0.01, ha="left", fontsize=11)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    require("matplotlib.pyplot", "plot").close(figure)
    try:
        write_bytes(path, picture.getvalue())
    except OSError as error:
        raise EvaluationError(f"cannot write the picture {path}: {error.strerror}") from error
