"""What a chart is: a title, words, a table of what it shows, and a Vega-Lite drawing of it.

A drawing has a fixed size, and padding in place of Vega's own layout, so that a page can reserve
its place before it is drawn and labels can be placed to the pixel.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.twins import Table

if TYPE_CHECKING:
    import altair as alt

_ISOLATE, _END = "\u2068", "\u2069"


@dataclass(frozen=True)
class Frame:
    """The size of a drawing and the margins around its plot, in pixels."""

    width: int
    height: int
    left: int = 44
    right: int = 14
    top: int = 34
    bottom: int = 46

    @property
    def inner_width(self) -> int:
        """The plot's own width."""
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> int:
        """The plot's own height."""
        return self.height - self.top - self.bottom


@dataclass(frozen=True)
class Drawing:
    """How a chart is drawn in a frame. `layers` is called when somebody wants the picture."""

    frame: Frame
    layers: Callable[[], "alt.LayerChart"] = field(repr=False, compare=False)

    @cached_property
    def spec(self) -> Mapping[str, Any]:
        """Vega-Lite with its data inline; needs altair."""
        import altair as alt

        f = self.frame
        padding = {"left": f.left, "right": f.right, "top": f.top, "bottom": f.bottom}
        chart = self.layers().properties(
            width=f.inner_width,
            height=f.inner_height,
            padding=padding,
            autosize=alt.AutoSizeParams(type="none"),
        )
        return {**chart.to_dict(), "config": theme.CONFIG}


@dataclass(frozen=True)
class Chart:
    """One chart. `name` is the last part of its address, `alt` says what it shows in a sentence.

    `words` say what the marks are. `narrow` is the drawing for a screen of a hand's width; without
    it `wide` is made smaller.
    """

    name: str
    title: str
    alt: str
    table: Table
    wide: Drawing
    narrow: Drawing | None = None
    words: str = ""

    @property
    def spec(self) -> Mapping[str, Any]:
        """Vega-Lite of the wide drawing, data inline."""
        return self.wide.spec


@dataclass(frozen=True)
class Figure:
    """A chart on a page. `address` is the chart's, without suffix; `query` that of the page.

    `drawn` says whether this installation draws charts; if not, the figure shows the table.
    """

    chart: Chart
    address: str
    query: str = ""
    drawn: bool = True

    def href(self, form: str) -> str:
        """Where the chart is in a form: `svg`, `csv`."""
        return f"{self.address}.{form}{self.query}"


def shown(text: str, length: int | None = None) -> str:
    """A name as a label: one line of printable characters, cut to `length`, apart from its
    neighbours' direction of writing."""
    plain = "".join(" " if unicodedata.category(c) in _UNSEEN else c for c in text)
    plain = " ".join(plain.split())
    if length is not None and len(plain) > length:
        plain = plain[: length - 1].rstrip() + "…"
    if any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in plain):
        return f"{_ISOLATE}{plain}{_END}"
    return plain


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def text_width(text: str, size: float = theme.SIZE) -> float:
    """About how many pixels a label takes; never much too few."""
    return size * sum(1.05 if unicodedata.east_asian_width(c) in "WF" else 0.58 for c in text)


def data(rows: Iterable[Mapping[str, Any]]) -> "alt.InlineData":
    """Rows as inline data; layers of the same rows share them."""
    import altair as alt

    return alt.InlineData(values=[dict(row) for row in rows])
