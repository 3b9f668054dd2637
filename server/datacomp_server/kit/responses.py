"""Errors as answers: JSON for programs, the same as a page for browsers."""

from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match

from datacomp_leaderboard.pages import ErrorPage
from datacomp_leaderboard.render import render
from datacomp_server.kit.errors import FindingOut, Refused, ServerError

_MAX_FINDINGS = 100
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def error_response(request: Request, error: ServerError) -> Response:
    """`error` in the form that the caller can read."""
    if _wants_page(request):
        page = ErrorPage(
            status=error.status,
            title=HTTPStatus(error.status).phrase,
            detail=error.detail,
            findings=tuple(f"{f.code}: {f.message}" for f in error.findings),
        )
        return HTMLResponse(render(page), error.status, error.headers)
    body = error.body().model_dump(exclude_none=True)
    return JSONResponse(body, error.status, error.headers)


def handle_server_error(request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    assert isinstance(error, ServerError)
    return error_response(request, error)


def handle_http_exception(request: Request, error: Exception) -> Response:
    """Answer the framework's errors (no such route, wrong method) in our shape."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail
    if detail == phrase:
        detail = f"{request.method} {request.url.path}: {phrase.lower()}"
    ours = ServerError(detail, code=phrase.lower().replace(" ", "_"))
    ours.status = error.status_code  # type: ignore[misc]  # the one error whose status is data
    answer = error_response(request, ours)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = _allowed(request)
    return answer


def handle_invalid_request(request: Request, error: Exception) -> Response:
    """Answer a request that does not follow its schema, with every field that does not."""
    assert isinstance(error, RequestValidationError)
    findings = [_finding(item) for item in error.errors()[:_MAX_FINDINGS]]
    where = f"{request.method} {request.url.path}"
    detail = f"{where} does not follow its schema in {len(error.errors())} places, nothing stored"
    return error_response(request, Refused(detail, code="invalid_request", findings=findings))


def _allowed(request: Request) -> str:
    """The methods of everything at an address; the framework names those of one route alone."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    )


def _finding(item: dict[str, Any]) -> FindingOut:
    where = ".".join(str(part) for part in item["loc"])
    return FindingOut(code=f"schema.{item['type']}", message=item["msg"], where=where)


def _wants_page(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "text/html" in accepted and not request.url.path.startswith("/api/")
