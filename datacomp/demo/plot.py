"""The demo's picture: average against subset size, a dot a seed, a line over their spread."""

import io
from collections.abc import Sequence
from pathlib import Path

from datacomp.demo.results import MethodResult
from datacomp.errors import require
from datacomp.files import write_bytes

INK, ORACLE, MUTED = "#0072B2", "#E69F00", "#666666"


def plot_results(results: Sequence[MethodResult], chance: float | None, path: Path) -> None:
    """Write a PNG; colours are Okabe and Ito's, and the oracle has another marker as well."""
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
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    pyplot.close(figure)
    write_bytes(path, picture.getvalue())
