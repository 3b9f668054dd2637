"""The board over the loopback: the server's time, and the browser's until it shows something."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from bench import Bench

from datacomp_server import Settings, run_in_thread
from datacomp_server.context import open_context

SUBMISSIONS = 10_000
SHOWN = 500
LOADS = 9
ASKED = 100
WEIGHED = 5
FIRST_PAINT = """() => new Promise(done => new PerformanceObserver(list => {
    for (const one of list.getEntriesByName("first-contentful-paint")) done(one.startTime)
}).observe({ type: "paint", buffered: true }))"""


@dataclass(frozen=True)
class FirstPaint:
    """As `Bench`, with the times that the browser tells: first contentful paint in a new tab."""

    url: str
    name: str = f"first paint of a board of {SHOWN}"
    limit_name: str = "of a board of none"

    def ratios(self) -> list[float]:
        """The empty board's first paint over that of the filled one, a load each."""
        from support.chromium import chromium

        with chromium() as browser:
            context = browser.new_context(viewport={"width": 1440, "height": 900})

            def painted(path: str) -> float:
                page = context.new_page()
                page.wait_for_timeout(500)  # a tab begins with work of its own
                page.goto(f"{self.url}{path}")
                milliseconds = float(page.evaluate(FIRST_PAINT))
                page.close()
                return milliseconds

            found = [painted("/b/small") / painted("/b/tiny") for _ in range(LOADS + 1)]
        return found[1:]


def benches(folder: Path) -> Iterator[Bench | FirstPaint]:
    """The server's limit is the answer of /healthz, which reads one row and renders nothing."""
    sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "load")]
    from filling import fill

    few = Settings(data_dir=folder / "few")
    context = open_context(few)
    fill(context, SHOWN, {"tiny": 1.0})
    context.close()
    with run_in_thread(few) as running:
        yield FirstPaint(running.url)

    settings = Settings(data_dir=folder / "many", address_requests_per_minute=1_000_000)
    context = open_context(settings)
    fill(context, SUBMISSIONS, {"tiny": 1.0})
    context.close()
    with run_in_thread(settings) as running, httpx.Client(base_url=running.url) as client:
        health = _asks(client, ["/healthz"] * ASKED)
        yield Bench(
            f"board of {SUBMISSIONS:,}, ready",
            "as many health checks",
            _asks(client, ["/b/tiny"] * ASKED),
            health,
        )
        # every address is another, so that each page is made for whoever asks
        weights = (f"/b/tiny?w.names={n}" for n in range(2, 1_000_000))
        yield Bench(
            f"the same, {WEIGHED} of own weights",
            f"{ASKED} health checks",
            lambda: _asks(client, [next(weights) for _ in range(WEIGHED)])(),
            health,
        )


def _asks(client: httpx.Client, paths: list[str]) -> Callable[[], None]:
    def ask() -> None:
        for path in paths:
            client.get(path).raise_for_status()

    return ask
