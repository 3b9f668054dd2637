"""Charts as files: what an SVG has and has not, and that nothing is drawn twice."""

import io
import json
from xml.etree import ElementTree

import pytest
from PIL import Image

from datacomp_leaderboard.charting import FORMS, Figure, draw, drawing
from datacomp_leaderboard.charting.averages import Kept, share

HOSTILE = ("<script>alert(1)</script>", "a\x00b\x0b\u202e", "مرشح", '" onload="x', "😀" * 40)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def chart():
    rows = [
        Kept(name, name, 0.1 + i / 9, 0.4 - i / 40, 0.01, "measured")
        for i, name in enumerate(HOSTILE)
    ]
    return share(rows, chance=0.1)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_had(chart, form):
    assert draw(chart, form)


@pytest.mark.parametrize("form", ["svg", "narrow.svg"])
def test_a_picture_has_its_own_size_and_both_schemes(chart, form):
    svg = ElementTree.fromstring(draw(chart, form))

    frame = (chart.wide if form == "svg" else chart.narrow).frame
    assert (svg.get("width"), svg.get("height")) == (str(frame.width), str(frame.height))
    sheet = svg.findtext(f"{SVG}style")
    assert "--c1:#0072b2" in sheet
    assert "prefers-color-scheme:dark" in sheet
    assert b"var(--data)" in draw(chart, form)


def test_names_are_only_text(chart):
    svg = ElementTree.fromstring(draw(chart, "svg"))

    assert {node.tag for node in svg.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "g", "path", "line", "rect", "text", "style")
    }
    assert not [key for node in svg.iter() for key in node.attrib if key.startswith("on")]
    assert "<script>alert(1)</script>" in [node.text for node in svg.iter(f"{SVG}text")]


def test_a_png_is_the_same_twice_as_large_on_white(chart):
    picture = Image.open(io.BytesIO(draw(chart, "png"))).convert("RGBA")

    frame = chart.wide.frame
    assert picture.size == (2 * frame.width, 2 * frame.height)
    assert picture.getpixel((0, 0)) == (255, 255, 255, 255)


def test_a_specification_holds_its_data_and_no_address(chart):
    spec = json.loads(draw(chart, "vl.json"))

    assert spec["datasets"]
    assert "url" not in json.dumps(spec["datasets"])
    assert spec["config"]["background"] == "transparent"


def test_what_is_unchanged_is_not_drawn_again(chart, monkeypatch):
    first = draw(chart, "svg")
    monkeypatch.setattr(drawing, "_svg", lambda spec: pytest.fail("drawn again"))

    assert draw(chart, "svg") is first


def test_what_was_drawn_longest_ago_makes_room():
    keeper = drawing._Keeper(10)
    keeper.get("svg", b"a", lambda: b"123456")
    keeper.get("svg", b"b", lambda: b"123456")

    assert keeper.get("svg", b"b", lambda: b"new") == b"123456"
    assert keeper.get("svg", b"a", lambda: b"new") == b"new"


def test_a_figure_names_its_files_with_the_query_of_the_page(chart):
    figure = Figure(chart, "/b/tiny/share", "?team=Alpha")

    assert figure.href("svg") == "/b/tiny/share.svg?team=Alpha"
