"""The errors that the service answers with, and their one shape.

    {"error": "<code>", "detail": "<sentence>", "findings": [...]}

`findings` is there where more than one thing can be wrong. Browsers get the same as a page.

ServerError
├── BadRequest        400  the request cannot be read
├── Unauthorised      401  no token, or one that is unknown, expired or revoked
├── Forbidden         403  the token's scopes do not cover the request
├── NotFound          404  nothing is there, or not for this caller
├── RequestTimeout    408  the request's body stopped coming
├── Conflict          409  it contradicts what is stored
│   └── WrongOffset   409  bytes for another place than the one that comes next
├── TooLarge          413  body or artifact over its limit
├── Refused           422  understood and refused, with every reason
├── TooManyRequests   429  over a rate limit; Retry-After says when to come back
├── BadGateway        502  somebody whom the service asked did not answer as they should
└── StorageFull       507  no room for what was sent; not the caller's fault
"""

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, Field


class FindingOut(BaseModel):
    """One reason for a refusal."""

    code: str = Field(description="Stable code of the check.")
    message: str
    task: str | None = Field(default=None, description="The task it concerns, if one.")
    where: str | None = Field(default=None, description="The field it concerns, if one.")


class ErrorOut(BaseModel):
    """The body of every error."""

    error: str = Field(description="Stable code, e.g. report_refused.")
    detail: str
    findings: list[FindingOut] | None = None


class ServerError(Exception):
    """Base of the errors that a caller can cause."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "server_error"

    def __init__(
        self, detail: str, *, code: str | None = None, findings: Sequence[FindingOut] = ()
    ) -> None:
        super().__init__(detail)
        self.detail, self.findings = detail, tuple(findings)
        self.error = code or self.code

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the answer."""
        return {}

    def body(self) -> ErrorOut:
        """The answer's body."""
        return ErrorOut(error=self.error, detail=self.detail, findings=list(self.findings) or None)


class BadRequest(ServerError):
    """The request cannot be read."""

    status, code = 400, "bad_request"


class Unauthorised(ServerError):
    """No token, or one that is unknown, expired or revoked: the caller is not told which."""

    status, code = 401, "unauthorised"

    @property
    def headers(self) -> dict[str, str]:
        """Names the scheme, as RFC 9110 demands."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServerError):
    """The token's scopes do not cover the request."""

    status, code = 403, "forbidden"


class NotFound(ServerError):
    """Nothing is there, or not for this caller."""

    status, code = 404, "not_found"


class RequestTimeout(ServerError):
    """The request's body stopped coming."""

    status, code = 408, "request_timeout"


class Conflict(ServerError):
    """It contradicts what is stored."""

    status, code = 409, "conflict"


class WrongOffset(Conflict):
    """Bytes for another place than the one that comes next, which the header says."""

    code = "wrong_offset"

    def __init__(self, detail: str, *, offset: int) -> None:
        super().__init__(detail)
        self.offset = offset

    @property
    def headers(self) -> dict[str, str]:
        """`Upload-Offset`: where to go on."""
        return {"Upload-Offset": str(self.offset)}


class TooLarge(ServerError):
    """Body or artifact over its limit."""

    status, code = 413, "too_large"


class StorageFull(ServerError):
    """There is no room for what was sent; not the caller's fault."""

    status, code = 507, "storage_full"


class Refused(ServerError):
    """Understood and refused, with every reason."""

    status, code = 422, "refused"


class TooManyRequests(ServerError):
    """Over a rate limit."""

    status, code = 429, "too_many_requests"

    def __init__(self, detail: str, *, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, in whole seconds."""
        return {"Retry-After": str(max(1, math.ceil(self.retry_after_seconds)))}


class BadGateway(ServerError):
    """Somebody whom the service asked did not answer as they should."""

    status, code = 502, "bad_gateway"
