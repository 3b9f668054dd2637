"""JSON as RFC 8259 means it, of bounded depth: what another reader would read otherwise is refused.

Python's reader takes NaN, makes 1e999 infinite, keeps the last of two equal keys and gives up at
some depth; a report that two readers understand differently cannot be checked.
"""

import json
import math
from collections import Counter
from typing import Any, NoReturn

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from datacomp_server.kit.errors import BadRequest
from datacomp_server.kit.responses import error_response, handle_http_exception

MAX_DEPTH = 40
_LONG = 64 * 1024  # bytes from which on reading is no business of the event loop


def check(data: bytes) -> None:
    """`BadRequest` with a code of its own unless `data` is JSON that everybody reads alike."""
    try:
        value = json.loads(
            data,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise _too_deep() from None
    except UnicodeError as error:
        raise BadRequest(f"the JSON is not Unicode text: {error}"[:300], code="bad_json") from None
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}"[:300], code="bad_json") from None
    if _is_deeper(value, MAX_DEPTH):
        raise _too_deep()


def _too_deep() -> BadRequest:
    return BadRequest(f"the JSON is nested deeper than {MAX_DEPTH}", code="json_too_deep")


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return bool(level)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise BadRequest(f"the JSON has the key {twice[:60]!r} twice", code="json_key_twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadRequest(f"{text[:60]} is beyond every double", code="json_number")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON; a number that is unknown is null", code="json_number")


class StrictJson:
    """Reads JSON bodies before the routes do; stands inside the limit of a body's size."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the body, then hand it on whole."""
        if scope["type"] != "http" or not _is_json(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
            if body:
                await _check(body)
        except HTTPException as error:  # it is over the limit
            await handle_http_exception(request, error)(scope, receive, send)
            return
        except BadRequest as refusal:
            await error_response(request, refusal)(scope, receive, send)
            return
        handed = False

        async def replay() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


async def _check(body: bytes) -> None:
    if len(body) > _LONG:
        await run_in_threadpool(check, body)
    else:
        check(body)


def _is_json(headers: Headers) -> bool:
    """As FastAPI reads it: a body without a type is JSON, too."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")
