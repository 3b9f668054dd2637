"""The picture of a page that other sites show beside a link to it: 1200 by 630 pixels, in light."""

import re
from html import escape

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.charting.chart import Chart, shown, text_width
from datacomp_leaderboard.charting.drawing import draw, png

WIDTH, HEIGHT = 1200, 630
_MARGIN, _COLUMN = 60, 380
_TITLE, _WORDS = 52, 25
# vl-convert brings it, so that a card looks alike, and fits, whatever fonts a machine has
_FONT = "Liberation Sans"
# the logo: places on a grid of five that are kept, among all
_KEPT = frozenset({(3, 0), (1, 1), (4, 1), (0, 2), (3, 2), (1, 3)})


def card(title: str, words: str = "", chart: Chart | None = None) -> bytes:
    """A PNG with the title of a page and words at the left, its chart or our sign at the right."""
    parts = [_logo(_MARGIN, 52, 1.0), _text("DataComp", _MARGIN + 64, 91, 34, theme.INK)]
    y = 200
    for line in _lines(shown(title), _TITLE, most=4):
        parts.append(_text(line, _MARGIN, y, _TITLE, theme.INK))
        y += round(1.15 * _TITLE)
    for line in _lines(shown(words), _WORDS, most=4):
        parts.append(_text(line, _MARGIN, y, _WORDS, theme.MUTED))
        y += round(1.35 * _WORDS)
    left = 2 * _MARGIN + _COLUMN
    parts.append(_logo(left + 110, 90, 9.0) if chart is None else _chart(chart, left))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return png(f"{head}{''.join(parts)}</svg>".encode(), scale=1.0)


def _lines(text: str, size: int, *, most: int) -> list[str]:
    """A text in lines that fit the column; what is left after the last one is cut off."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= _COLUMN:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines[most - 1] += " …"
    return [_cut(line, size) for line in lines[:most]]


def _cut(line: str, size: int) -> str:
    while text_width(line, size) > _COLUMN:
        line = f"{line[:-2].rstrip()}…"
    return line


def _text(text: str, x: float, y: float, size: int, colour: str) -> str:
    return (
        f'<text x="{x}" y="{y}" font-family="{_FONT}" font-size="{size}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _logo(x: int, y: int, scale: float) -> str:
    dots = []
    for column in range(5):
        for row in range(5):
            kept = (column, row) in _KEPT
            colour, radius = (theme.DATA, 4.6) if kept else (theme.STRONG_LINE, 2.8)
            at = f'cx="{5 + 10 * column}" cy="{5 + 10 * row}"'
            dots.append(f'<circle {at} r="{radius}" fill="{colour}"/>')
    return f'<g transform="translate({x} {y}) scale({scale})">{"".join(dots)}</g>'


def _chart(chart: Chart, left: int) -> str:
    """The chart as large as it may be, with large letters if they fit; of a tall one its top."""
    width, height = WIDTH - left - 30, HEIGHT - 100
    is_small = chart.narrow is not None and chart.narrow.frame.height <= height
    frame = (chart.narrow if chart.narrow and is_small else chart.wide).frame
    tall = min(frame.height, round(frame.width * max(height / width, 1.1 if is_small else 0)))
    drawn = draw(chart, "narrow.svg" if is_small else "svg").decode()
    inner = re.sub(r"<style>.*?</style>", "", drawn[drawn.index(">") + 1 :], count=1)
    box = f'viewBox="0 0 {frame.width} {tall}" preserveAspectRatio="xMidYMid meet"'
    return f'<svg x="{left}" y="50" width="{width}" height="{height}" {box}>{inner}'
