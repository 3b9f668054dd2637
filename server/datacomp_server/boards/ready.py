"""ASGI middleware: public pages that are ready, answered before the request meets a route.

Most visitors ask for what somebody has asked for before. It lies in the snapshots as bytes, so that
such a request costs a look-up; every other one goes to the routes, which answer the same.
"""

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards.made import View
from datacomp_server.boards.rendering import send_form
from datacomp_server.boards.snapshots import Snapshots
from datacomp_server.boards.views import match, views_of

_API = {f"/api/v1/boards/{scale}": View(f"/b/{scale}", form="api") for scale in SCALES}
_API_PATTERN = "/api/v1/boards/{scale}"


class ReadyPages:
    """Answers from the snapshots what they have at hand."""

    def __init__(self, app: ASGIApp, snapshots: Snapshots) -> None:
        self.app, self.snapshots = app, snapshots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything that is not a ready page."""
        for view in _asked(scope):
            ready = self.snapshots.at_hand(view)
            if ready is not None:
                scope["route_pattern"] = _pattern(view)
                status, headers, body = send_form(ready, dict(scope["headers"]))
                start = {"type": "http.response.start", "status": status, "headers": headers}
                await send(start)
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)


def _asked(scope: Scope) -> list[View]:
    if scope["type"] != "http" or scope["method"] != "GET":
        return []
    if scope["path"] in _API:
        return [] if scope["query_string"] else [_API[scope["path"]]]
    query = tuple(QueryParams(scope["query_string"]).multi_items())
    return views_of(scope["path"], query)


def _pattern(view: View) -> str:
    if view.form == "api":
        return _API_PATTERN
    found = match(view.path)
    return found[0] if found else view.path
