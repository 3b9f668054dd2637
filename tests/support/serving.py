"""`datacomp serve --port 0` as a process of its own."""

import re
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from support.processes import BOUND_SECONDS


def address_of(told: Callable[[], str], is_alive: Callable[[], bool]) -> str:
    """The address that the service names in what it has `told`, as soon as it answers there."""
    deadline = time.monotonic() + BOUND_SECONDS
    while True:
        if found := re.search(r"service at (http://127\.0\.0\.1:\d+),", told()):
            with suppress(httpx.TransportError):
                httpx.get(f"{found[1]}/healthz").raise_for_status()
                return found[1]
        assert is_alive(), told()
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)
