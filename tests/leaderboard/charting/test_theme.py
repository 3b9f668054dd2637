"""The colours of charts: those of the site, in both schemes, and far enough from the paper."""

import re

import pytest

from datacomp_leaderboard.charting import theme
from datacomp_leaderboard.render import STATIC

SHEET = (STATIC / "board.css").read_text()


def contrast(a, b):
    """Contrast ratio of two colours (WCAG 2)."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_tokens_are_those_of_the_sheet():
    in_sheet = dict(re.findall(r"--([a-z0-9-]+): light-dark\(([^)]+)\);", SHEET))

    for name, values in theme.TOKENS.items():
        assert in_sheet[name] == ", ".join(values), name


def test_charts_speak_in_the_font_of_the_site():
    assert f"--sans: {theme.FONT};" in SHEET


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["data", "truth", "muted", *(f"c{i}" for i in range(1, 7))])
def test_marks_stand_out_from_the_paper(name, scheme):
    for paper in ("paper", "raised"):
        assert contrast(theme.TOKENS[name][scheme], theme.TOKENS[paper][scheme]) >= 3


def test_every_series_has_a_colour_and_a_shape_of_its_own():
    assert len(set(theme.SERIES)) == len(set(theme.SHAPES)) == len(theme.SERIES) == 6


def test_on_white_no_token_is_left():
    svg = '<path fill="var(--c2)" stroke="var(--strong-line)"/>'

    assert theme.on_white(svg) == '<path fill="#d55e00" stroke="#c4c0b5"/>'
