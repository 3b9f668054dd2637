"""ASGI middleware: headers of every answer, a cap on every body and on every address's requests."""

import logging
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datacomp_server.kit.errors import NotFound, ServerError, TooLarge, TooManyRequests
from datacomp_server.kit.limits import Limiter, Rate, network_of
from datacomp_server.kit.responses import error_response

_LOG = logging.getLogger(__name__)

ADDRESS_REQUESTS = "requests of this address"  # kind of the limit

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# a picture brings its two colour schemes along, and can do nothing
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: under it browsers send "Origin: null" with our own forms, too
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


_PROTECTING = [(k.lower().encode(), v.encode()) for k, v in SECURITY_HEADERS.items()]
_PROTECTED = frozenset(name for name, _ in _PROTECTING)


def _with(**changed: str) -> list[tuple[bytes, bytes]]:
    names = {name.replace("_", "-").encode(): value.encode() for name, value in changed.items()}
    return [(name, names.get(name, value)) for name, value in _PROTECTING]


# other sites may show our pictures, and frame what is made for that
_PICTURE = _with(
    content_security_policy=PICTURE_POLICY, cross_origin_resource_policy="cross-origin"
)
_PNG = _with(cross_origin_resource_policy="cross-origin")
_EMBED = _with(
    content_security_policy=CONTENT_SECURITY_POLICY.replace(
        "frame-ancestors 'none'", "frame-ancestors *"
    )
)


class SecurityHeaders:
    """Outermost: sets the headers, and turns a defect of ours into an answer of the one shape."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; only HTTP answers are touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _protect(message, scope["path"])
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            # not the address: it may hold an invite, or line breaks that forge a line
            route = getattr(scope.get("route"), "path", "no route")
            _LOG.exception("answering failed: %s", route)
            if started:
                raise
            answer = error_response(
                Request(scope), ServerError("The service failed; the organiser can see why.")
            )
            await answer(scope, receive, send_with_headers)


def _protect(start: Message, path: str) -> None:
    given = start.get("headers", ())
    headers = [pair for pair in given if pair[0] not in _PROTECTED]
    if all(name != b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", b"no-cache"))
    kind = dict(given).get(b"content-type", b"")
    if kind == b"image/svg+xml":
        protecting = _PICTURE
    elif kind == b"image/png":
        protecting = _PNG
    else:
        protecting = _EMBED if path.startswith("/embed/") else _PROTECTING
    start["headers"] = headers + protecting


class PlainAddress:
    """Answers that nothing is under an address with a NUL in it, which Postgres cannot look up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on every other address."""
        if scope["type"] == "http" and (
            "\0" in scope["path"] or b"%00" in scope.get("query_string", b"")
        ):
            refusal = NotFound("there is nothing under an address with a NUL character")
            await error_response(Request(scope), refusal)(scope, receive, send)
            return
        await self.app(scope, receive, send)


class AddressLimit:
    """Refuses an address that asks too often; a good token has a limit of its own instead."""

    def __init__(self, app: ASGIApp, limiter: Limiter, rate: Rate) -> None:
        self.app, self.limiter, self.rate = app, limiter, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count every request but those that ask whether the service lives."""
        if scope["type"] == "http" and scope["path"] != "/healthz":
            request = Request(scope)
            try:
                self.limiter.take(ADDRESS_REQUESTS, address_of(request), self.rate)
            except TooManyRequests as refusal:
                await error_response(request, refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def address_of(request: Request) -> str:
    """Where a request comes from, as limits count it."""
    return network_of(request.client.host) if request.client else "unknown"


class BodyLimit:
    """Refuses a body over `limit` bytes, by its declared length or while it arrives.

    `streams` are the requests, as "PATCH /a/path", whose routes hold their bodies to a limit of
    their own and never have them whole in memory.
    """

    def __init__(self, app: ASGIApp, limit: int, streams: re.Pattern[str]) -> None:
        self.app, self.limit, self.streams = app, limit, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what arrives; stop at the limit."""
        if scope["type"] != "http" or self.streams.fullmatch(f"{scope['method']} {scope['path']}"):
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > self.limit:
            answer = error_response(Request(scope), self._refusal())
            await answer(scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > self.limit:
                # an HTTPException, because FastAPI hides any other that rises while it reads
                raise HTTPException(413, self._refusal().detail)
            return message

        await self.app(scope, counted, send)

    def _refusal(self) -> TooLarge:
        return TooLarge(f"the request's body is over the limit of {self.limit:,} bytes")
