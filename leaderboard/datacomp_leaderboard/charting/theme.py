"""One look for every chart: colours, shapes, type and axes, by Vega-Lite's config.

Colours are the tokens of the site's sheet, `var(--c1)`: Vega writes them into the SVG as they are,
so that one picture serves light and dark. The values here are for pictures that stand alone; a test
holds them to those of `board.css`.
"""

import re
from collections.abc import Mapping
from typing import Any

FONT = '-apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif'
SIZE = 12

# Series after Okabe and Ito, darker on light paper: each has 3:1 and more against it.
TOKENS: Mapping[str, tuple[str, str]] = {
    "paper": ("#fcfbf8", "#121416"),
    "raised": ("#ffffff", "#191c1f"),
    "ink": ("#1c1c1a", "#ecebe6"),
    "muted": ("#5f5d57", "#a5a39c"),
    "line": ("#e3e0d8", "#2d3236"),
    "strong-line": ("#c4c0b5", "#454c52"),
    "data": ("#0072b2", "#56b4e9"),
    "truth": ("#a84300", "#f2a45c"),
    "c1": ("#0072b2", "#56b4e9"),
    "c2": ("#d55e00", "#f28044"),
    "c3": ("#00875f", "#2cc59b"),
    "c4": ("#b8618f", "#dd8fbb"),
    "c5": ("#a87400", "#ecc24a"),
    "c6": ("#4d4d4a", "#c9c7c0"),
}
"""Light and dark value of every colour that a chart may use."""

SERIES = tuple(f"var(--c{i})" for i in range(1, 7))
# each series has a shape too, for who does not see its colour
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
RAISED, INK, MUTED = "var(--raised)", "var(--ink)", "var(--muted)"
LINE, STRONG_LINE = "var(--line)", "var(--strong-line)"
DATA, TRUTH = "var(--data)", "var(--truth)"

CONFIG: Mapping[str, Any] = {
    "aria": False,  # the figure has one name, and a table
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "point": {"opacity": 1},
    "text": {"color": INK, "fontSize": SIZE},
    "axis": {
        "domainColor": STRONG_LINE,
        "gridColor": LINE,
        "labelColor": MUTED,
        "labelFontSize": SIZE,
        "labelPadding": 6,
        "tickColor": STRONG_LINE,
        "tickSize": 4,
        "titleColor": MUTED,
        "titleFontSize": SIZE,
        "titleFontWeight": "normal",
        "titlePadding": 10,
    },
    "axisX": {"grid": False},
    # its title lies above the plot, where it is read without turning the head and costs no width
    "axisY": {
        "domain": False,
        "ticks": False,
        "titleAlign": "left",
        "titleAngle": 0,
        "titleBaseline": "bottom",
        "titleX": 0,
        "titleY": -12,
    },
}


def style() -> str:
    """A sheet with the tokens in both schemes, for an SVG that stands alone."""
    light, dark = (
        ";".join(f"--{name}:{values[scheme]}" for name, values in TOKENS.items())
        for scheme in (0, 1)
    )
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def on_white(svg: str) -> str:
    """The SVG with the light value in place of every token."""
    return re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: TOKENS[found[1]][0], svg)
