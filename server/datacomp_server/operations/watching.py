"""ASGI middleware: an id for every request, a line in the log and a count in the metrics."""

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datacomp_server.kit.ids import new_id
from datacomp_server.kit.logs import request_id
from datacomp_server.operations.metrics import Metrics

_LOG = logging.getLogger("datacomp.requests")
HEADER = "X-Request-ID"
_QUIET = frozenset({"/healthz", "/metrics", "/static"})


class Watching:
    """Around everything else; the id is ours, whatever the caller sent, and goes back with it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, own_id, began = 500, new_id(), time.perf_counter()
        held = request_id.set(own_id)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = own_id
            await send(message)

        self.metrics.in_flight.inc()
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            self.metrics.in_flight.dec()
            seconds, route = time.perf_counter() - began, _route(scope)
            self.metrics.saw(scope["method"], route, status, seconds)
            if route not in _QUIET or status >= 500:
                self._log(scope, route, status, seconds)
            request_id.reset(held)

    def _log(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        facts = {
            "method": scope["method"][:20],
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 1),
            "address": scope["client"][0] if scope.get("client") else None,
        }
        _LOG.info("answered", extra={"facts": facts | _ids(scope)})


def _route(scope: Scope) -> str:
    """The pattern that the request met: one of the application's own, so a bounded set."""
    path = scope.get("route_pattern") or getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else "none"


def _ids(scope: Scope) -> dict[str, str]:
    """Public ids in the path: they say what a request was about. Nothing else of it is logged."""
    found = scope.get("path_params") or {}
    return {
        name: value
        for name, value in found.items()
        if name.endswith("_id") and isinstance(value, str) and len(value) == 26 and value.isalnum()
    }
