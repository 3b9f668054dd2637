"""The service's HTTP client: one method a route, errors as sentences.

    with ServiceClient("http://127.0.0.1:8000", token) as service:
        receipt = service.submit(report, method="clip_score 30%")

Never follows a redirect: the token belongs to the address that the user gave.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from datacomp import __version__
from datacomp.errors import ServiceError, UnknownNameError
from datacomp.reports import (
    Finding,
    InvalidReportError,
    Report,
    check_report,
    check_submittable,
    load_suite,
    read_report,
)

TIMEOUT_SECONDS = 30.0
TOKEN_VARIABLE = "DATACOMP_TOKEN"


@dataclass(frozen=True)
class Receipt:
    """A submission that stands; `created` is False if it stood before this call."""

    id: str
    url: str
    created: bool
    team: str
    method: str
    scale: str
    average: float | None
    oracle: bool


class RefusedError(ServiceError):
    """The service understood the submission and refused it; `findings` has every reason."""

    def __init__(self, message: str, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n  ".join([message, *map(str, findings)]))
        self.findings = findings


class UnauthorisedError(ServiceError):
    """No token, one that is not good, or one that may not do this."""


def findings_of(report: Report) -> list[Finding]:
    """Every reason for which a service would refuse this report; nothing is sent.

    The same checks as the service's, by the same code; the service adds its own rules on names.
    """
    try:
        suite = load_suite(report.suite.name)
    except UnknownNameError as error:
        return [Finding("S105", None, str(error))]
    return [*check_report(report, suite), *check_submittable(report)]


def findings_in(path: Path) -> list[Finding]:
    """`findings_of` the report in a file, or why the file is no report (E001, E002)."""
    try:
        return findings_of(read_report(path))
    except InvalidReportError as error:
        return error.findings


class ServiceClient:
    """A connection to one service; usable as a context manager.

    Every method raises `ServiceError` if the service cannot be reached or answers with an error.
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

    def submit(
        self,
        report: Report,
        method: str,
        *,
        description: str | None = None,
        lock: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Hand in a report; the same one again gives the submission that stands already.

        `RefusedError` with every finding, `UnauthorisedError` if the token is not good.
        """
        body = {"method": method, "description": description, "report": report.as_json()}
        if lock is not None:
            body["lock"] = dict(lock)
        answer = self._send("POST", "/api/v1/submissions", json=body)
        found = _object(answer)
        return Receipt(
            id=found["id"],
            url=self.url + found["page"],
            created=answer.status_code == httpx.codes.CREATED,
            team=found["team"],
            method=found["method"],
            scale=found["scale"],
            average=found["average"]["value"],
            oracle=found["oracle"],
        )

    def submission(self, submission_id: str) -> dict[str, Any]:
        """One submission, as the API shows it."""
        return _object(self._send("GET", f"/api/v1/submissions/{submission_id}"))

    def board(self, scale: str, *, sort: str = "-average") -> dict[str, Any]:
        """The board of a scale, as the API shows it: `rows` in the order of `sort`."""
        return _object(self._send("GET", f"/api/v1/boards/{scale}", params={"sort": sort}))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, verb: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(verb, path, **request)
        except httpx.UnsupportedProtocol as error:
            raise ServiceError(f"{self.url!r} is not an address: expected http://HOST") from error
        except httpx.TransportError as error:
            raise ServiceError(
                f"no service answers at {self.url}: {error or type(error).__name__}. "
                "Start one with: datacomp serve, or give its address with --url."
            ) from error
        if answer.is_success:
            return answer
        raise _refusal(self.url, answer)


def _refusal(url: str, answer: httpx.Response) -> ServiceError:
    body = _object(answer)
    detail = str(body.get("detail", "no reason given"))
    findings = tuple(_finding(item) for item in body.get("findings") or ())
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return UnauthorisedError(
            f"{url} refused the token: {detail}. An organiser makes one with: datacomp admin "
            f"token create --team NAME; give it with --token or as {TOKEN_VARIABLE}."
        )
    if answer.is_server_error:
        return ServiceError(f"{url} failed with {answer.status_code}: {detail}")
    return RefusedError(f"{url}: {detail}", findings)


def _finding(item: Mapping[str, Any]) -> Finding:
    where = f"{item['where']}: " if item.get("where") else ""
    return Finding(str(item["code"]), item.get("task"), f"{where}{item['message']}")


def _object(answer: httpx.Response) -> dict[str, Any]:
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
