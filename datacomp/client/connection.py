"""A connection to one service: operations by their ids, answers as objects, errors as sentences.

Never follows a redirect: the token belongs to the address that the user gave.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
        with self.stream(name, json=json, content=content, **parameters) as answer:
            with _weather(self.url):
                answer.read()
            return answer

    def read(
        self, name: str, *, json: Mapping[str, Any] | None = None, **parameters: Any
    ) -> dict[str, Any]:
        """The JSON object that `call` was answered with."""
        return json_object(self.call(name, json=json, **parameters))

    @contextmanager
    def stream(
        self,
        name: str,
        *,
        json: Mapping[str, Any] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        byte_range: str | None = None,
        **parameters: Any,
    ) -> Iterator[httpx.Response]:
        """An answer whose body is not read yet; for files. `byte_range` is a Range header."""
        filled = operation(name).fill(parameters)
        headers = dict(filled.headers)
        if content is not None:
            headers["Content-Type"] = "application/octet-stream"
        if byte_range is not None:
            headers["Range"] = byte_range
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
                with _weather(self.url):
                    answer.read()
                raise _refusal(self.url, answer)
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
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceError(
            f"{answer.request.url} answered {answer.status_code} in no form that this client "
            "knows; is it a datacomp service?"
        )
    return value


@contextmanager
def _weather(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.UnsupportedProtocol as error:
        raise ServiceError(f"{url!r} is not an address: expected http://HOST") from error
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
        tuple(_finding(item) for item in body.get("findings") or ()),
        status=answer.status_code,
        code=str(body.get("error", "")),
        headers=answer.headers,
    )


def _finding(item: Mapping[str, Any]) -> Finding:
    where = f"{item['where']}: " if item.get("where") else ""
    return Finding(str(item["code"]), item.get("task"), f"{where}{item['message']}")
