"""A connection to one service: operations by their ids, answers as objects, errors as sentences.

Never follows a redirect: the token belongs to the address that the user gave.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from datacomp import __version__
from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.client.operations import operation
from datacomp.credentials import TOKEN_VARIABLE
from datacomp.errors import ServiceError
from datacomp.reports import Finding

TIMEOUT_SECONDS = 30.0
_OF_THE_LINE = ("content-encoding", "content-length", "transfer-encoding")
MAX_ANSWER_BYTES = 64 * 2**20
"""Of an answer that is read whole, unpacked."""


class Connection:
    """Usable as a context manager.

    Every call raises `ServiceError` if the service cannot be reached or answers with an error:
    `UnauthorisedError` for 401 and 403, `RefusedError` for every other refusal.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": f"datacomp/{__version__}", "Accept": "application/json"}
        if token is not None:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise UnauthorisedError("the token holds spaces or characters that no token has")
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=headers, timeout=TIMEOUT_SECONDS, transport=transport
            )
        except httpx.InvalidURL as error:
            raise ServiceError(f"{url!r} is not an address: {error}") from error

    def call(
        self,
        name: str,
        *,
        json: Mapping[str, Any] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        **parameters: Any,
    ) -> httpx.Response:
        """The answer of the operation `name`; a body is either `json` or bytes as `content`.

        A wrong name or parameter is a defect of ours: `LookupError` or `TypeError`.
        """
        with self._sent(name, {}, json=json, content=content, **parameters) as answer:
            return _whole(self.url, answer)

    def read(
        self, name: str, *, json: Mapping[str, Any] | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """The JSON object that `call` was answered with."""
        return json_object(self.call(name, json=json, **parameters))

    def stream(
        self, name: str, *, byte_range: str | None = None, **parameters: Any
    ) -> AbstractContextManager[httpx.Response]:
        """A file's answer, whose body is not read yet: bytes as they are, nothing to unpack.

        `byte_range` is a Range header.
        """
        headers = {"Accept-Encoding": "identity"}
        if byte_range is not None:
            headers["Range"] = byte_range
        return self._sent(name, headers, **parameters)

    @contextmanager
    def _sent(
        self,
        name: str,
        more: Mapping[str, str],
        *,
        json: Mapping[str, Any] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        **parameters: Any,
    ) -> Iterator[httpx.Response]:
        filled = operation(name).fill(parameters)
        headers = {**filled.headers, **more}
        if content is not None:
            headers["Content-Type"] = "application/octet-stream"
        request = self._http.build_request(
            filled.method,
            filled.path,
            params=filled.query,
            headers=headers,
            json=None if json is None else dict(json),
            content=content,
        )
        with _weather(self.url):
            answer = self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                raise _refusal(self.url, _whole(self.url, answer))
            yield answer
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; `ServiceError` if it is something else."""
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ServiceError(
            f"{answer.request.url} answered {answer.status_code} in no form that this client "
            "knows; is it a datacomp service?"
        )
    return value


def _whole(url: str, answer: httpx.Response) -> httpx.Response:
    """The same answer, read; `ServiceError` if that has no end."""
    body = bytearray()
    with _weather(url):
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise ServiceError(f"{url} answered with more than {MAX_ANSWER_BYTES:,} bytes")
    headers = {k: v for k, v in answer.headers.items() if k not in _OF_THE_LINE}
    return httpx.Response(
        answer.status_code, headers=headers, content=bytes(body), request=answer.request
    )


@contextmanager
def _weather(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.UnsupportedProtocol as error:
        raise ServiceError(f"{url!r} is not an address: expected http://HOST") from error
    except httpx.DecodingError as error:
        raise ServiceError(f"{url} answered what cannot be unpacked: {error}") from error
    except httpx.TransportError as error:
        raise ServiceError(
            f"no service answers at {url}: {error or type(error).__name__}. "
            "Start one with: datacomp serve, or give its address with --url."
        ) from error


def _refusal(url: str, answer: httpx.Response) -> ServiceError:
    body = json_object(answer)
    detail = str(body.get("detail", "no reason given"))
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        if body.get("error") == "sign_in_refused":
            return UnauthorisedError(f"{url}: {detail}")
        return UnauthorisedError(
            f"{url} refused the token: {detail}. Get one with datacomp login; one from elsewhere "
            f"goes in --token or {TOKEN_VARIABLE}."
        )
    if answer.is_server_error:
        return ServiceError(f"{url} failed with {answer.status_code}: {detail}")
    return RefusedError(
        f"{url}: {detail}",
        _findings(body.get("findings")),
        status=answer.status_code,
        code=str(body.get("error", "")),
        headers=answer.headers,
    )


def _findings(value: object) -> tuple[Finding, ...]:
    told = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
    return tuple(_finding(item) for item in told if {"code", "message"} <= item.keys())


def _finding(item: Mapping[str, Any]) -> Finding:
    where = f"{item['where']}: " if item.get("where") else ""
    return Finding(str(item["code"]), item.get("task"), f"{where}{item['message']}")
