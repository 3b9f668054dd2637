"""A real Chromium on a running service. Without Chromium these tests fail, never skip.

On SQLite alone: they are about looks, and the same rows come from either database.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, Route

from datacomp.client import ServiceClient
from datacomp_server import Settings, create_token, run_in_thread
from support.chromium import chromium
from support.processes import BOUND_SECONDS


@dataclass
class Visit:
    """An open page, what it complained of, and which addresses it asked for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    @property
    def strangers(self) -> list[str]:
        return [address for address in self.requests if not address.startswith(self.url + "/")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium.

    Of one module: as long as Playwright is open an event loop runs in this thread, and other tests
    of this process, which begin one, would find it.
    """
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, make_report: Callable[..., Any]
) -> Iterator[str]:
    """The address of a service with a board of ordinary, hostile and marked rows."""
    # A browser that is quick asks for more in a minute than one address may.
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("service"), address_requests_per_minute=1_000_000
    )
    token = create_token(settings, "Team <b>bold</b>")
    rows = {
        "clip_score": 0.3,
        "no_filter": 0.1,
        "<script>alert(1)</script>": 0.2,
        "unbreakable" * 9: 0.25,
        "وسام مرشح": 0.15,
    }
    with run_in_thread(settings) as running, ServiceClient(running.url, token) as client:
        for method, level in rows.items():
            for seed in (0, 1):
                client.submit(make_report(level=level + seed / 50, seed=seed), method)
        oracle = make_report(level=0.5)
        lock = oracle.run.subset.model_dump(exclude={"name"}) | {"uses_truth": True}
        client.submit(oracle, "oracle", lock=lock)
        yield running.url


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[..., Visit]]:
    """`visit(**context options)`: a page in a context of its own, fenced to the service."""
    contexts = []

    def open_page(**options: Any) -> Visit:
        context = browser.new_context(**options)
        context.set_default_timeout(1000 * BOUND_SECONDS)
        contexts.append(context)
        seen = Visit(context.new_page(), site)

        def fence(route: Route) -> None:
            seen.requests.append(route.request.url)
            route.continue_() if route.request.url.startswith(site) else route.abort()

        def failed(request: Request) -> None:
            # what a page still waits for when the reader goes on is given up, which is no fault
            if request.failure != "net::ERR_ABORTED":
                seen.complaints.append(request.url)

        context.route("**/*", fence)
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("requestfailed", failed)
        return seen

    yield open_page
    for context in contexts:
        context.close()
