"""Charts in a real browser: a picture first, and after the page one that answers to a pointer."""

import pytest

pytestmark = pytest.mark.browser

PICTURE = "figure.chart-figure picture img"
LIVE = "figure.chart-figure div[role=img] svg"
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(e => e.value)))
    .observe({type: 'layout-shift', buffered: true});
"""


def size(locator):
    box = locator.bounding_box()
    return round(box["x"]), round(box["width"]), round(box["height"])


def live(page):
    """Scroll to the chart, which is drawn only near the reader, and wait for it."""
    page.locator("figure.chart-figure").first.scroll_into_view_if_needed()
    page.locator(LIVE).wait_for()
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_the_chart_takes_the_place_of_its_picture(visit, width, scheme):
    plain = visit(
        viewport={"width": width, "height": 1200}, color_scheme=scheme, java_script_enabled=False
    ).go("/b/tiny")
    before = size(plain.locator(PICTURE))
    seen = visit(viewport={"width": width, "height": 1200}, color_scheme=scheme)
    seen.page.add_init_script(SHIFTS)

    page = live(seen.go("/b/tiny"))

    assert size(page.locator(LIVE)) == before
    assert not page.locator(PICTURE).is_visible()
    assert page.evaluate("window.shifts") == []
    assert seen.complaints == []
    assert page.locator("figure.chart-figure div[role=img]").get_attribute("aria-label")
    form = "share.narrow.vl.json" if width == 360 else "share.vl.json"
    assert [r for r in seen.requests if r.endswith(".vl.json")] == [f"{seen.url}/b/tiny/{form}"]


def test_a_pointer_is_told_what_a_dot_is(visit):
    seen = visit(viewport={"width": 1440, "height": 1200})
    page = live(seen.go("/b/tiny"))

    page.locator(f"{LIVE} .mark-symbol path").first.hover(force=True)

    tip = page.locator(".chart-tip")
    tip.wait_for()
    assert "average" in tip.inner_text()
    assert "95% from" in tip.inner_text()
    assert seen.complaints == []


def test_what_makes_charts_live_is_loaded_after_the_page_and_only_with_a_chart(visit):
    with_chart, without = visit(viewport={"width": 1440, "height": 1200}), visit()

    page = live(with_chart.go("/b/tiny"))
    without.go("/b/small").wait_for_load_state("networkidle")

    [bundle] = [r for r in with_chart.requests if "/static/vendor/" in r]
    began, loaded = page.evaluate(
        """address => [
            performance.getEntriesByName(address)[0].startTime,
            performance.getEntriesByType('navigation')[0].loadEventStart,
        ]""",
        bundle,
    )
    assert began >= loaded
    assert not [r for r in without.requests if "/static/vendor/" in r or "charts.js" in r]


def test_without_it_the_picture_stays(visit):
    seen = visit(viewport={"width": 1440, "height": 1200})
    seen.page.route("**/*.vl.json", lambda route: route.fulfill(status=200, body="no chart"))

    page = seen.go("/b/tiny")
    page.locator("figure.chart-figure").first.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")

    assert page.locator(PICTURE).is_visible()
    assert page.locator(LIVE).count() == 0
    assert seen.complaints == []


def test_names_in_a_chart_are_only_text(visit):
    seen = visit(viewport={"width": 1440, "height": 1200})
    page = live(seen.go("/b/tiny"))

    names = page.locator(f"{LIVE} text").all_text_contents()
    assert "<script>alert(1)</script>" in names
    assert page.locator(f"{LIVE} script").count() == 0


def test_a_picture_by_itself_has_its_colours_and_no_complaint(visit):
    seen = visit(color_scheme="dark")
    page = seen.go("/b/tiny/share.svg")

    ink = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')")
    assert ink == "#ecebe6"
    assert seen.complaints == []
