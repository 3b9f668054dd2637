"""The demo's pictures: averages with a mark a seed and a line over their spread.

Against subset size, or, where most methods keep the same share, a method a line.
Colours are Okabe and Ito's, and the oracle has another marker as well.
"""

import io
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from datacomp.demo.results import MethodResult
from datacomp.errors import require
from datacomp.files import write_bytes

INK, ORACLE, MUTED = "#0072B2", "#E69F00", "#666666"


def plot_results(results: Sequence[MethodResult], chance: float | None, path: Path) -> None:
    """Write a PNG of averages by subset size."""
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    figure, axes = pyplot.subplots(figsize=(8, 4.8), dpi=150, layout="constrained")
    for result in results:
        values = [100 * value for value in result.averages]
        color, marker = (ORACLE, "D") if result.oracle else (INK, "o")
        x = result.subset_size
        axes.plot([x, x], [min(values), max(values)], color=color, linewidth=2, alpha=0.6)
        axes.scatter([x] * len(values), values, color=color, marker=marker, s=36, zorder=3)
        label = f"{result.name} (uses the truth)" if result.oracle else result.name
        right = x > 0.8 * max(other.subset_size for other in results)
        axes.annotate(
            label,
            (x, 100 * result.mean),
            xytext=(-9 if right else 9, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
        )
    if chance is not None:
        axes.axhline(100 * chance, color=MUTED, linewidth=1, linestyle=":")
        axes.annotate(
            "chance", (0, 100 * chance), xytext=(4, 3), textcoords="offset points", color=MUTED
        )
    axes.set_xlim(0, 1.05 * max(result.subset_size for result in results))
    axes.set_xlabel("subset size (entries)")
    axes.set_ylabel("tiny average (%)")
    axes.set_title("Average by subset size; a mark a seed", loc="left")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
    _save(figure, path)


def plot_methods(
    results: Sequence[MethodResult], plain: Collection[str], chance: float | None, path: Path
) -> None:
    """Write a PNG with a line a method, from best to worst, and its share of the pool.

    Methods whose names are in `plain` are drawn in grey.
    """
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    figure, axes = pyplot.subplots(
        figsize=(8, 1.4 + 0.3 * len(results)), dpi=150, layout="constrained"
    )
    for row, result in enumerate(results):
        values = [100 * value for value in result.averages]
        color, marker = MUTED if result.name in plain else INK, "o"
        if result.oracle:
            color, marker = ORACLE, "D"
        axes.plot([min(values), max(values)], [row, row], color=color, linewidth=2, alpha=0.6)
        axes.scatter(values, [row] * len(values), color=color, marker=marker, s=18, zorder=3)
        axes.scatter(100 * result.mean, row, color=color, marker="|", s=160, zorder=3)
        axes.annotate(
            f"{result.share:.0%}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            color=MUTED,
            annotation_clip=False,
        )
    if chance is not None:
        axes.axvline(100 * chance, color=MUTED, linewidth=1, linestyle=":")
        axes.annotate(
            "chance",
            (100 * chance, len(results) - 0.5),
            xytext=(3, 2),
            textcoords="offset points",
            color=MUTED,
        )
    names = [f"{one.name} (uses the truth)" if one.oracle else one.name for one in results]
    axes.set_yticks(range(len(results)), names)
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.set_xlabel("tiny average (%); a dot a seed, a bar their mean; right: share of the pool")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    axes.grid(axis="y", alpha=0.12)
    axes.set_axisbelow(True)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    require("matplotlib.pyplot", "plot").close(figure)
    write_bytes(path, picture.getvalue())
