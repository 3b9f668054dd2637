"""A filter report as files: JSON, CSV, and the picture of who finds which noise."""

import csv
import io
import textwrap
from pathlib import Path
from typing import Any

from datacomp.errors import UsageError, require
from datacomp.files import write_bytes, write_json
from datacomp.filtering.reporting import TRUE_KINDS, Found, Report

CSV, JSON, PNG = "report.csv", "report.json", "report.png"
# Okabe and Ito's vermilion and blue, which people of all kinds of colour vision tell apart.
WRONG, RIGHT, INK, MUTED = "#D55E00", "#0072B2", "#222222", "#666666"
LABEL_LETTERS = 34


def demand_writable(folder: Path) -> None:
    """Make the folder for a report; asked before the work that the report needs.

    `UsageError` if it cannot be, `MissingExtraError` without matplotlib.
    """
    require("matplotlib", "plot")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a folder for the report: {error}") from error


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write the picture, CSV and JSON into `folder`; their paths."""
    picture = draw(report)
    write_json(folder / JSON, report.to_json())
    write_bytes(folder / CSV, to_csv(report).encode())
    write_bytes(folder / PNG, picture)
    return folder / PNG, folder / CSV, folder / JSON


def to_csv(report: Report) -> str:
    """One line a filter; empty where there is no number."""
    kinds = noise_kinds(report)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    auroc = [f"auroc_{kind}" for kind in ("overall", *kinds)]
    writer.writerow(["filter", "ranks", *auroc, "kept", "kept_share", "true_share", "unscored"])
    for one in report.filters:
        numbers = [one.overall, *(one.against[kind] for kind in kinds)]
        rest = [one.kept, one.kept_share, one.true_share, one.unscored]
        writer.writerow([one.name, one.ranks, *numbers, *rest])
    return text.getvalue()


def noise_kinds(report: Report) -> tuple[str, ...]:
    """The kinds of noise, false captions first."""
    return tuple(report.filters[0].against) if report.filters else ()


def draw(report: Report) -> bytes:
    """The picture as PNG: a field a filter and kind, blue where noise is found; what is kept."""
    require("matplotlib", "plot").use("Agg")
    pyplot = require("matplotlib.pyplot", "plot")
    figure, (fields, dots) = pyplot.subplots(
        ncols=2,
        sharey=True,
        figsize=(10, 1.7 + 0.34 * len(report.filters)),
        dpi=150,
        layout="constrained",
        gridspec_kw={"width_ratios": [3.2, 1.0]},
    )
    _draw_fields(fields, report)
    _draw_dots(dots, report)
    figure.supxlabel(footnote(report), x=0.01, ha="left", fontsize=9, color=MUTED)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    pyplot.close(figure)
    return picture.getvalue()


def footnote(report: Report) -> str:
    """How to read the numbers, for the picture and the table."""
    apart = [kind.replace("_", " ") for kind in noise_kinds(report) if kind in TRUE_KINDS]
    lines = ["0.5 is blind; below it, noise is preferred."]
    if apart:
        lines.append(f"Captions of {' and '.join(apart)} are true: not in overall.")
    if not all(one.ranks for one in report.filters):
        lines.append("* ranks nothing: judged by what it keeps.")
    return " ".join(lines)


def _draw_fields(axes: Any, report: Report) -> None:
    colors = require("matplotlib.colors", "plot")
    ramp = colors.LinearSegmentedColormap.from_list("auroc", [WRONG, "#FFFFFF", RIGHT])
    kinds = noise_kinds(report)
    # A gap after the overall, and one before the kinds that are not part of it.
    lefts = [0.0, *(i + 1.2 + 0.2 * (kind in TRUE_KINDS) for i, kind in enumerate(kinds))]
    for row, one in enumerate(report.filters):
        values = [one.overall, *(one.against[kind] for kind in kinds)]
        for left, value in zip(lefts, values, strict=True):
            if value is None:
                continue
            axes.barh(row, 0.94, 0.9, left, color=ramp(value), edgecolor="#E4E4E4", linewidth=0.6)
            ink = "#FFFFFF" if abs(value - 0.5) > 0.36 else INK
            axes.text(left + 0.47, row, f"{value:.2f}", color=ink, ha="center", va="center")
    names = ["overall", *(kind.replace("_", "\n") for kind in kinds)]
    axes.set_xticks([left + 0.47 for left in lefts], names)
    axes.xaxis.tick_top()
    axes.set_xlim(0, lefts[-1] + 1)
    axes.set_yticks(range(len(report.filters)), [_label(one) for one in report.filters])
    axes.set_ylim(len(report.filters) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    n = f"{sum(report.rows.values()):,}"
    axes.set_title(f"AUROC of clean rows against planted noise ({n} rows)", loc="left", pad=12)


def _draw_dots(axes: Any, report: Report) -> None:
    """The share of true captions among what is kept, and in the whole pool."""
    for row, one in enumerate(report.filters):
        if one.true_share is None:
            continue
        percent = 100 * one.true_share
        axes.plot([100 * report.true_share, percent], [row, row], color=MUTED, linewidth=1.2)
        fill = RIGHT if one.ranks else "#FFFFFF"
        axes.scatter(percent, row, s=42, color=fill, edgecolors=RIGHT, zorder=3)
        right = one.true_share >= report.true_share
        place = {"xytext": (8 if right else -8, 0), "ha": "left" if right else "right"}
        text = f"{percent:.0f}" if one.ranks else f"{percent:.0f} (keeps {one.kept_share:.0%})"
        axes.annotate(text, (percent, row), textcoords="offset points", va="center", **place)
    axes.axvline(100 * report.true_share, color=MUTED, linewidth=1, linestyle=":")
    axes.set_xlim(0, 124)
    axes.set_xticks([0, 100 * report.true_share, 100], ["0", "pool", "100"])
    axes.tick_params(length=0)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.set_title(f"true captions in the\nbest {report.fraction:.0%}, in percent", loc="left")


def _label(one: Found) -> str:
    return textwrap.fill(one.name if one.ranks else f"{one.name} *", LABEL_LETTERS)
