"""Pages of people who work with the service, in a real browser: participants and organisers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from datacomp.client import ServiceClient
from datacomp_server import Settings, create_token, run_in_thread
from datacomp_server.context import open_context
from datacomp_server.identity import accounts, registration
from support.processes import BOUND_SECONDS

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
PUBLIC = ["/queue", "/log", "/docs", "/docs/rules", "/docs/methods", "/docs/submit", "/docs/api"]
OWN = ["/account", "/account/submissions", "/teams"]
OFFICE = ["", "/audits", "/budgets", "/workers", "/rules", "/submissions"]


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, make_report: Callable[..., Any]
) -> Iterator[str]:
    """A service with an organiser, whose team has handed something in."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("office"), address_requests_per_minute=1_000_000
    )
    context = open_context(settings)
    stored, moment = accounts.new_password("Olga", PASSWORD), context.clock()
    with context.database.writing() as session:
        olga = accounts.create(session, "Olga", password_hash=stored, moment=moment)
        accounts.set_organiser(session, olga, True, moment=moment)
        name = "Team <b>" + "W" * 40
        registration.found_team(session, settings, olga.id, name, moment=moment)
    context.close()
    token = create_token(settings, name)
    with run_in_thread(settings) as running, ServiceClient(running.url, token) as client:
        for number, method in enumerate(("unbreakable" * 9, "<script>alert(1)</script>")):
            client.submit(make_report(level=0.2 + number / 10), method)
        yield running.url


@pytest.fixture(scope="module")
def olga(browser: Any, office: str) -> Iterator[tuple[Page, list[str]]]:
    """An organiser's page, signed in by the keyboard alone, and what it complained of."""
    context = browser.new_context(color_scheme="dark", viewport={"width": 360, "height": 800})
    context.set_default_timeout(1000 * BOUND_SECONDS)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(office + "/sign-in?next=/account")
    page.keyboard.type("Olga")  # the first field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    yield page, complaints
    context.close()


def fits(page: Page, address: str) -> None:
    page.goto(address)
    assert page.get_by_role("heading", level=1).is_visible()
    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, width)


@pytest.mark.parametrize("javascript", [True, False])
def test_public_pages(visit, javascript):
    seen = visit(java_script_enabled=javascript)
    for path in PUBLIC:
        fits(seen.page, seen.url + path)

    assert (seen.complaints, seen.strangers) == ([], [])


def test_pages_of_a_person(olga, office):
    page, complaints = olga
    for path in OWN:
        if path == "/teams":
            page.goto(office + "/account")
            path = page.locator("main a[href^='/teams/']").get_attribute("href")
        fits(page, office + path)

    assert complaints == []


def test_pages_of_organisers(olga, office):
    page, complaints = olga
    for path in OFFICE:
        if path == "/submissions":
            page.goto(office + "/organise")
            link = page.locator("a[href^='/organise/submissions/']").first
            path = link.get_attribute("href").removeprefix("/organise")
        fits(page, office + "/organise" + path)

    assert complaints == []


def test_an_organiser_puts_a_rule_in_force(olga, office):
    page, _ = olga
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(office + "/organise/rules")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="tiny"))
    with page.expect_navigation():
        row.get_by_role("button", name="What would robust/1 move").click()
    assert "This change moves" in page.get_by_role("status").inner_text()
    page.get_by_role("checkbox").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Put it in force").click()

    assert "robust/1" in row.inner_text()
    page.goto(office + "/docs/rules")
    assert row.get_by_role("link", name="robust/1").is_visible()


def test_the_contents_lead_to_the_sections(visit):
    page = visit(java_script_enabled=False).go("/docs/rules")
    page.get_by_role("navigation", name="On this page").get_by_role("link", name="The rank").click()

    assert page.url.endswith("#rank")
    assert page.get_by_role("heading", name="The rank", exact=True).is_visible()
