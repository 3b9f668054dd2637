"""The pages in a real browser: what people see, at which width, with and without JavaScript."""

import pytest

pytestmark = pytest.mark.browser

PATHS = ["/", "/b/tiny", "/b/small", "/submission", "/scaling", "/t", "/t/wild"]
WIDTHS = [1440, 768, 360]


def open_path(seen, path):
    if path == "/submission":
        seen.go("/b/tiny").get_by_role("link", name="clip_score").first.click()
        seen.page.wait_for_url("**/s/*")
    else:
        seen.go(path)
    return seen.page


def follow(page, link):
    """Click a link and wait for its page: the address changes before the page is there."""
    with page.expect_navigation():
        link.click()


def contrast(page, selector):
    """Contrast ratio of an element's text against the page's background (WCAG 2)."""
    return page.evaluate(
        """selector => {
            const canvas = document.createElement('canvas').getContext('2d');
            const luminance = colour => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
                    .map(v => v / 255)
                    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const ink = luminance(getComputedStyle(document.querySelector(selector)).color);
            const paper = luminance(getComputedStyle(document.body).backgroundColor);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        }""",
        selector,
    )


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("path", PATHS)
def test_pages_load_without_complaint_from_this_host_only(visit, path, javascript):
    seen = visit(java_script_enabled=javascript)
    page = open_path(seen, path)

    assert page.get_by_role("heading", level=1).is_visible()
    assert seen.complaints == []
    assert seen.strangers == []
    assert any("/static/board.css" in address for address in seen.requests)


@pytest.mark.parametrize("path", PATHS)
def test_pages_do_not_scroll_sideways(visit, path):
    page = open_path(visit(), path)

    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_every_method_can_be_read_at_every_width(visit, width):
    page = visit(viewport={"width": width, "height": 800}, java_script_enabled=False).go("/b/tiny")

    rows = page.get_by_role("row").filter(has=page.get_by_role("rowheader"))
    assert rows.count() == 6
    headers = page.get_by_role("rowheader")
    for index in range(6):
        assert headers.nth(index).is_visible()
        assert headers.nth(index).get_by_role("link").is_visible()
    assert page.get_by_role("rowheader", name="<script>alert(1)</script>").count() == 1


def test_the_board_shows_rank_truth_and_noise(visit):
    page = visit().go("/b/tiny")
    first, second = (page.get_by_role("row").nth(i).inner_text() for i in (1, 2))

    assert "uses the truth" in first
    assert "◆" in first
    assert second.split()[0] == "○"
    assert "reported" in second
    assert "±" in second


def test_header_and_first_columns_stay_in_view(visit):
    page = visit(viewport={"width": 768, "height": 500}).go("/b/tiny")
    scroller = page.get_by_role("region", name="Board")
    scroller.evaluate("e => e.scrollTo(400, 200)")

    frame = scroller.bounding_box()
    heading = page.get_by_role("columnheader", name="Method").bounding_box()
    assert heading["y"] == pytest.approx(frame["y"], abs=2)
    assert heading["x"] < frame["x"] + 120


def test_sorting_is_a_link(visit):
    seen = visit(java_script_enabled=False)
    page = seen.go("/b/tiny")
    follow(page, page.get_by_role("columnheader", name="Method").get_by_role("link", name="Method"))

    assert page.url.endswith("?sort=method")
    names = page.get_by_role("rowheader").all_inner_texts()
    assert names[0].startswith("<script>")
    follow(page, page.get_by_role("columnheader", name="Method").get_by_role("link", name="Method"))
    assert page.get_by_role("rowheader").all_inner_texts() == names[::-1]


def test_narrow_screens_can_sort_too(visit):
    page = visit(viewport={"width": 360, "height": 800}).go("/b/tiny")
    follow(page, page.get_by_role("navigation", name="Sort by").get_by_role("link", name="Seeds"))

    assert page.url.endswith("?sort=-seeds")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(visit, scheme):
    page = visit(color_scheme=scheme).go("/b/tiny")

    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 22)"
    assert dark == (scheme == "dark")
    for selector in ("body", ".lead", "main a", ".mark", ".noise", "thead a"):
        assert contrast(page, selector) >= 4.5, selector


def test_the_keyboard_reaches_everything(visit):
    page = visit().go("/b/tiny")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || ''").strip())
        if page.evaluate("document.activeElement === document.body"):
            break

    assert reached[0] == "Skip to the content"
    links = page.locator("a:visible").all_inner_texts()
    assert {text.strip() for text in links} <= set(reached)


def test_downloads_are_files(visit):
    page = visit().go("/b/tiny")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").first.click()

    assert download.value.suggested_filename == "tiny.csv"


def test_an_unknown_page_leads_back(visit):
    page = visit().go("/b/none")

    assert page.get_by_role("heading", name="Not Found").is_visible()
    follow(page, page.get_by_role("link", name="All boards"))
    assert page.get_by_role("link", name="The whole board").is_visible()
