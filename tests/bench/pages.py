"""The board of ten thousand submissions, over the loopback."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from bench import Bench

from datacomp_server import Settings, run_in_thread
from datacomp_server.context import open_context

SUBMISSIONS = 10_000
ASKED = 100
WEIGHED = 5


def benches(folder: Path) -> Iterator[Bench]:
    """The limit is the answer of /healthz, which reads one row and renders nothing."""
    sys.path.append(str(Path(__file__).parents[1] / "load"))
    from filling import fill

    settings = Settings(data_dir=folder, address_requests_per_minute=1_000_000)
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
