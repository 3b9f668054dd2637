"""A chart on a page: picture, words, numbers and files; and what is left where nothing draws."""

from html.parser import HTMLParser

import pytest

from datacomp_leaderboard.charting import Figure
from datacomp_leaderboard.charting.averages import Kept, share
from datacomp_leaderboard.render import environment


class Tags(HTMLParser):
    """Every tag with its attributes, and the cells of the table."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.cells, self._cell = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._cell = tag == "bdi"

    def handle_data(self, data):
        if self._cell:
            self.cells.append(data)
            self._cell = False

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def shown():
    """`shown(drawn=True)`: the tags of a figure with two methods, one of them hostile."""

    def show(rows=2, drawn=True):
        names = ["<b>x</b>", *(f"method {i}" for i in range(rows - 1))]
        kept = [
            Kept(name, "A", 0.2, 0.5 - i / 500, None, "measured") for i, name in enumerate(names)
        ]
        figure = Figure(share(kept), "/b/tiny/share", "?team=A", drawn)
        macro = environment().get_template("figure.html").module.figure
        return Tags(str(macro(figure)))

    return show


def test_the_place_of_the_picture_is_reserved(shown):
    [image], [source] = shown().of("img"), shown().of("source")

    assert (image["src"], image["width"], image["height"]) == (
        "/b/tiny/share.svg?team=A",
        "760",
        "380",
    )
    assert image["alt"].startswith("2 methods by share of the pool and average.")
    assert source["srcset"] == "/b/tiny/share.narrow.svg?team=A"
    assert (source["width"], source["height"]) == ("330", "340")


def test_its_numbers_stand_beside_it(shown):
    page = shown()

    assert page.cells[:5] == ["<b>x</b>", "A", "0.2", "0.5", "–"]
    assert page.of("b") == []
    assert "open" not in page.of("details")[0]


def test_its_files_take_the_query_of_the_page(shown):
    files = [link["href"] for link in shown().of("a")]

    forms = ("svg", "png", "vl.json", "csv", "json", "parquet")
    assert [f for f in files if not f.startswith("/embed")] == [
        f"/b/tiny/share.{form}?team=A" for form in forms
    ]
    assert "/embed/b/tiny/share?team=A" in files


def test_of_many_rows_the_first_are_shown(shown):
    assert len(shown(rows=120).of("tr")) == 51


def test_where_nothing_draws_there_is_the_table(shown):
    page = shown(drawn=False)

    assert page.of("img") == page.of("script") == []
    assert "data-spec" not in page.of("figure")[0]
    assert "open" in page.of("details")[0]
    assert not [a["href"] for a in page.of("a") if "svg" in a["href"] or "embed" in a["href"]]
    assert "<b>x</b>" in page.cells
