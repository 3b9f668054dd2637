"""The curves of runs, from `metrics.jsonl` alone: as a picture, and as characters of a terminal."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import TrainingError, require
from datacomp.files import write_bytes
from datacomp.training.metrics_log import count_lines, read_metrics
from datacomp.training.run import METRICS

# What is drawn: the key in the log, and how its axis is called.
KEYS = {
    "loss": "loss (nats)",
    "learning_rate": "learning rate",
    "logit_scale": "logit scale (factor)",
    "images_per_second": "images per second",
}
_FROM_ZERO = ("learning_rate", "images_per_second")
# Okabe and Ito's colours, told apart by the colour-blind; then the same again, dashed.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
DASHES = ("-", "--", ":", "-.")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Black is not seen on a black terminal, nor white on a white one.
_GREY = (128, 128, 128)
_ROWS, _TICKS = 32, 4


@dataclass(frozen=True)
class Curves:
    """The log of a run: its whole lines, and how many lines could not be read."""

    name: str
    lines: tuple[dict[str, Any], ...]
    torn: int

    def points(self, key: str) -> tuple[list[float], list[float]]:
        """Samples seen and the values of `key`, where a line has both."""
        pairs = [(line.get("samples"), line.get(key)) for line in self.lines]
        known = [(x, y) for x, y in pairs if isinstance(x, int) and isinstance(y, int | float)]
        return [float(x) for x, _ in known], [float(y) for _, y in known]


def read_curves(folder: Path) -> Curves:
    """The log in a run's folder, finished or not; `TrainingError` if it has no whole line."""
    path = folder / METRICS
    if not path.is_file():
        raise TrainingError(
            f"{folder} has no {METRICS}: it is not a run's folder. See: datacomp runs list"
        )
    lines = read_metrics(path)
    if not lines:
        raise TrainingError(f"{path} has no line yet; a run writes one every ten steps")
    return Curves(folder.name, tuple(lines), count_lines(path) - len(lines))


def plot_curves(runs: Sequence[Curves], path: Path) -> None:
    """Write a PNG: a panel a quantity over samples seen, a line a run."""
    figure = require("matplotlib.figure", "plot").Figure((10, 6.6), dpi=150, layout="constrained")
    panels = figure.subplots(2, 2).flat
    for axes, (key, title) in zip(panels, KEYS.items(), strict=True):
        for number, run in enumerate(runs):
            dash = DASHES[number // len(COLORS) % len(DASHES)]
            x, y = run.points(key)
            axes.plot(
                x,
                y,
                dash,
                color=COLORS[number % len(COLORS)],
                marker="o" if len(x) == 1 else None,
                linewidth=1.6,
                label=run.name,
            )
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("samples seen")
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(lambda value, _: short_count(value))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
        if key in _FROM_ZERO:
            axes.set_ylim(bottom=0)
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 if max(map(len, labels)) > 40 else min(3, len(labels))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    write_bytes(path, picture.getvalue())


def draw_curves(runs: Sequence[Curves], width: int, color: bool) -> str:
    """The same panels as text, `width` characters wide; without colour, runs are told by letters.

    Ends without a newline. ANSI colours only if `color`.
    """
    plotext = require("plotext", "plot")
    figure = plotext.figure.clear()
    figure.plot_size(width, _ROWS)
    figure.subplots(2, 2)
    figure.theme("colorless")
    for place, (key, title) in enumerate(KEYS.items()):
        panel = figure.subplot(place // 2 + 1, place % 2 + 1)
        for number, run in enumerate(runs):
            symbol = "braille" if color or len(runs) == 1 else _LETTERS[number % len(_LETTERS)]
            marker = plotext.marker(symbol, plotext.pixel(_rgb(number)) if color else None)
            panel.draw(panel.signal(*run.points(key), marker=marker).lines())
        last, top = (max(max(run.points(key)[i], default=0.0) for run in runs) for i in (0, 1))
        ticks = _ticks(last)
        panel.ruler(axis="x").lim(0, last).ticks(ticks, [short_count(tick) for tick in ticks])
        if key in _FROM_ZERO:
            panel.ruler(axis="y").lim(0, 1.05 * top)
        panel.title(title)
        panel.label("samples seen", axis="x")
    text: str = figure.build().string(colorless=not color)
    legend = [_legend(plotext, number, run, color, len(runs)) for number, run in enumerate(runs)]
    return "\n".join([*legend, text.rstrip("\n")])


def _legend(plotext: Any, number: int, run: Curves, color: bool, of: int) -> str:
    if color:
        mark: str = plotext.colorize("━━").fill(plotext.pixel(_rgb(number))).string()
        return f"{mark} {run.name}"
    return run.name if of == 1 else f"{_LETTERS[number % len(_LETTERS)]}  {run.name}"


def short_count(value: float) -> str:
    """A count on an axis, such as 12.8M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _ticks(last: float) -> list[float]:
    """At most five round numbers from 0 to `last`."""
    step = 1.0
    while True:
        for size in (step, 2 * step, 5 * step):
            if last <= _TICKS * size:
                return [size * n for n in range(int(last // size) + 1)]
        step *= 10


def _rgb(number: int) -> tuple[int, int, int]:
    code = COLORS[number % len(COLORS)]
    if code == "#000000":
        return _GREY
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
