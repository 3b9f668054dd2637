"""ASGI middleware: boards that are ready, answered before the request meets a route.

Most visitors ask for a board in its own order. What they get lies in the snapshots as bytes, so
that such a request costs a look-up; every other one, and the first for a board, goes to the routes,
which answer the same.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from datacomp_leaderboard.scales import SCALES
from datacomp_server.boards.rendering import View
from datacomp_server.boards.snapshots import Snapshots
from datacomp_server.kit.packed import HTML, JSON, answer

# path -> what it shows, in which form, and the pattern of its route, by which metrics count
_PATHS = {"/": (View(), HTML, "/")} | {
    pattern.format(scale=scale): (View(scale), form, pattern)
    for scale in SCALES
    for pattern, form in (
        ("/b/{scale}", HTML),
        ("/b/{scale}.json", JSON),
        ("/api/v1/boards/{scale}", JSON),
    )
}


class ReadyBoards:
    """Answers from the snapshots what they have at hand."""

    def __init__(self, app: ASGIApp, snapshots: Snapshots) -> None:
        self.app, self.snapshots = app, snapshots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on everything that is not a ready board."""
        asked = None
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["query_string"]:
            asked = _PATHS.get(scope["path"])
        ready = self.snapshots.at_hand(asked[0]) if asked else None
        if asked is None or ready is None:
            await self.app(scope, receive, send)
            return
        _, media_type, scope["route_pattern"] = asked
        status, headers, body = answer(ready.forms[media_type], media_type, dict(scope["headers"]))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
