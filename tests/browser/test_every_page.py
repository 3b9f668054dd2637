"""Every page of the service in Chromium: with and without JavaScript, light and dark, three widths.

A new route has to get a page in support/site.py.
"""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from starlette.responses import HTMLResponse

from datacomp_server import Settings
from datacomp_server.app import create_app
from datacomp_server.boards.views import PAGES
from datacomp_server.context import open_context
from support.site import PRIVATE, PUBLIC, serving

pytestmark = pytest.mark.browser

NAMES = [*PUBLIC, *PRIVATE]
WIDTHS = (1440, 768, 360)
SCHEMES = ("light", "dark")
NO_PAGES = (".svg", ".atom")
MOST_STOPS = 200  # of a longer page's beginning only
# Routes for people that show no page of their own.
REDIRECTS = {"/sign-in/provider", "/sign-in/provider/callback", "/organise/find"}

SHIFT = """() => new Promise(done => {
    let sum = 0
    new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value })
        .observe({ type: 'layout-shift', buffered: true })
    requestAnimationFrame(() => requestAnimationFrame(() => done(sum)))
})"""
# Whether what has the focus shows it; None at the end of the page.
FOCUS = """() => {
    const at = document.activeElement
    if (at === document.body) return null
    at.dataset.reached = ''
    const style = getComputedStyle(at)
    return style.outlineStyle !== 'none' || style.boxShadow !== 'none'
}"""
# One of a group of radio buttons has the focus for all of them.
MISSED = """() => [...document.querySelectorAll(
        'a[href], button, input, select, textarea, summary'
    )].filter(e => e.checkVisibility({visibilityProperty: true}) && !e.disabled
        && !['hidden', 'radio'].includes(e.type) && !('reached' in e.dataset))
    .map(e => e.outerHTML)"""


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def site(every):
    """Of this module's visits."""
    return every.url


@pytest.fixture
def open_page(visit, every):
    """`open_page(name, **context options)`: a page of the site, with the cookie if it needs it."""

    def opened(name, **options):
        seen = visit(**options)
        if name in PRIVATE:
            seen.page.context.add_cookies([every.cookie])
        seen.go(every.path(name))
        return seen

    return opened


def html_routes(every):
    """The patterns of routes that answer a browser's GET with HTML."""
    for one in every:
        if inner := getattr(one, "original_router", None):
            yield from html_routes(inner.routes)
        elif "GET" in (getattr(one, "methods", None) or ()):
            kind = getattr(one, "response_class", None)
            if isinstance(kind, type) and issubclass(kind, HTMLResponse):
                yield one.path


def test_every_route_has_a_page_here(every, tmp_path):
    context = open_context(Settings(data_dir=tmp_path))
    pages = {one for one in PAGES if not one.endswith(NO_PAGES)}
    patterns = {*pages, *html_routes(create_app(context).routes)} - REDIRECTS
    context.close()
    visited = [every.path(name).split("?")[0] for name in NAMES]
    assert len(patterns) > 20
    for pattern in patterns:
        expected = re.sub(r"\{\w+:path\}", ".+", re.sub(r"\{\w+\}", "[^/]+", pattern))
        assert any(re.fullmatch(expected, path) for path in visited), pattern


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_whole_at_every_width_and_in_both_schemes(open_page, name, javascript):
    seen = open_page(name, java_script_enabled=javascript)
    page = seen.page

    assert page.get_by_role("heading", level=1).count() == 1
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    assert seen.complaints == []
    assert seen.strangers == []


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (360, "light")], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_moves_while_a_page_loads_and_axe_finds_nothing(open_page, name, width, scheme):
    size = {"width": width, "height": 800}
    page = open_page(name, viewport=size, color_scheme=scheme).page

    assert page.evaluate(SHIFT) == 0
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", NAMES)
def test_the_keyboard_reaches_everything_that_can_be_used(open_page, name):
    page = open_page(name).page
    ends = 0
    for stop in range(MOST_STOPS):
        page.keyboard.press("Tab")
        visible = page.evaluate(FOCUS)
        assert visible is not False, stop
        ends += visible is None
        # a page whose first field has the focus as it opens is walked around once
        if ends == 2 or (ends and not page.evaluate(MISSED)):
            break
    if ends:
        assert page.evaluate(MISSED) == []


def test_on_a_phone_a_baseline_is_a_card_without_lines(open_page):
    page = open_page("board", viewport={"width": 360, "height": 800}).page
    looks = page.locator(".board tr.baseline > *").evaluate_all(
        """cells => cells.map(cell => getComputedStyle(cell))
            .map(style => [style.borderBottomWidth, style.paddingTop])"""
    )
    assert len(looks) > 5
    assert all(one == ["0px", "0px"] for one in looks)
