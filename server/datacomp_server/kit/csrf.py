"""Requests that another site's page made a browser send: refused, without a token in any form.

Browsers say where a request comes from, and pages cannot change it: `Sec-Fetch-Site` on HTTPS
and localhost, `Origin` everywhere. Programs send neither and carry no cookies. The rule holds for
sign-in and registration too: there a foreign page would sign its visitor in as somebody else.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from datacomp_server.kit.errors import Forbidden
from datacomp_server.kit.responses import error_response

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN = frozenset({"same-origin", "none"})  # none: the user's own doing, such as a reload


class SameOrigin:
    """Refuses every unsafe method that a page of another origin causes.

    `public_url` is the service's own address where a proxy changes the Host header.
    """

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self.app = app
        self.public_host = urlsplit(public_url).netloc if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is safe or our own."""
        if scope["type"] == "http" and scope["method"] not in _SAFE_METHODS:
            headers = Headers(scope=scope)
            if not is_own(headers, {headers.get("host"), self.public_host}):
                refusal = Forbidden(
                    "this request came from a page of another site. Open the form here and send "
                    "it again.",
                    code="cross_site",
                )
                await error_response(Request(scope), refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def is_own(headers: Headers, hosts: set[str | None]) -> bool:
    """Whether the request came from a page of one of `hosts`, or from no page at all."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _OWN
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc in hosts - {None, ""}
