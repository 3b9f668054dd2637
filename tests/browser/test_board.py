"""The board's page in a real browser: what JavaScript adds, and that nothing needs it."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CHOICES = "details.choices > summary"


def test_choices_wait_until_somebody_opens_them(visit):
    page = visit().go("/b/tiny")

    assert not page.get_by_label("Name contains").is_visible()
    page.locator(CHOICES).click()
    assert page.get_by_label("Name contains").is_visible()
    n_weights = page.get_by_role("spinbutton").count()
    assert n_weights > 0
    expect(page.get_by_role("slider")).to_have_count(n_weights)


def test_a_view_by_own_weights_has_its_choices_open(visit):
    page = visit().go("/b/tiny?w.names=2")

    expect(page.get_by_role("slider")).to_have_count(page.get_by_role("spinbutton").count())
    assert page.get_by_role("slider").first.is_visible()


def test_without_scripts_the_form_filters_and_weighs(visit):
    page = visit(java_script_enabled=False).go("/b/tiny")
    page.locator(CHOICES).click()
    page.get_by_label("Name contains").fill("clip")
    page.get_by_role("spinbutton").first.fill("0")
    with page.expect_navigation():
        page.get_by_role("button", name="Show", exact=True).click()

    assert page.get_by_role("rowheader").count() == 1
    assert page.get_by_text("Not the order in force.").is_visible()
    with page.expect_navigation():
        page.get_by_role("link", name="with “clip”").click()
    assert page.get_by_role("rowheader").count() == 6


def test_with_scripts_the_address_says_only_what_differs(visit):
    seen = visit()
    page = seen.go("/b/tiny")
    page.locator(CHOICES).click()
    page.get_by_label("Name contains").fill("clip")
    with page.expect_navigation():
        page.get_by_role("button", name="Show", exact=True).click()

    assert page.url == f"{seen.url}/b/tiny?q=clip"
    assert seen.complaints == []


def test_a_slider_orders_anew_without_leaving_the_page(visit):
    seen = visit()
    page = seen.go("/b/tiny")
    page.locator(CHOICES).click()
    page.get_by_role("slider").first.focus()
    page.keyboard.press("Home")

    expect(page.get_by_text("Not the order in force.")).to_be_visible()
    assert page.url.startswith(f"{seen.url}/b/tiny?w.")
    assert page.get_by_role("slider").first.is_visible()
    assert seen.complaints == []


def test_rows_are_gone_through_and_ticked_by_keys(visit):
    page = visit().go("/b/tiny")
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    for key in ("j", "Space", "j", "j", "k", "Space"):
        page.keyboard.press(key)

    boxes = page.get_by_role("checkbox", name="Compare")
    assert [boxes.nth(i).is_checked() for i in range(3)] == [True, True, False]
    assert compare.inner_text() == "Compare 2"
    assert compare.is_enabled()


def test_the_keys_are_told(visit):
    page = visit().go("/b/tiny")
    page.keyboard.press("?")

    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


@pytest.mark.parametrize("columns", ["preset=official", "preset=everything", "column=date"])
@pytest.mark.parametrize("width", [1440, 768])
def test_cells_stand_under_their_headings_and_hold_what_is_in_them(visit, columns, width):
    page = visit(viewport={"width": width, "height": 800}).go(f"/b/tiny?{columns}")

    lefts, overfull = page.evaluate(
        """() => {
            const left = cell => cell.getBoundingClientRect().left
            const cells = [...document.querySelectorAll(".board tr:not(.tier)")]
                .map(row => [...row.children])
            const overfull = cells.flat().filter(cell => cell.scrollWidth > cell.clientWidth + 1)
            return [cells.map(row => row.map(left)), overfull.map(cell => cell.className)]
        }"""
    )

    assert len(lefts) > 5
    assert all(row == pytest.approx(lefts[0], abs=0.5) for row in lefts)
    assert overfull == []


def test_more_columns_than_fit_scroll_inside_the_table(visit):
    page = visit().go("/b/tiny?preset=everything")

    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
