"""What participants ask of a service."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from datacomp.client.connection import Connection, json_object
from datacomp.reports import Report


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


class ServiceClient:
    """A connection to one service; usable as a context manager. Errors as `Connection`'s.

    `connection` serves what other modules of this package do.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.connection = Connection(url, token, transport=transport)
        self.url = self.connection.url

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
        answer = self.connection.call("create_submission", json=body)
        found = json_object(answer)
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
        return self.connection.read("get_submission", submission_id=submission_id)

    def board(self, scale: str, *, sort: str = "-average") -> dict[str, Any]:
        """The board of a scale, as the API shows it: `rows` in the order of `sort`."""
        return self.connection.read("get_board", scale=scale, sort=sort)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
