"""What can go wrong with an answer.

ServiceError                the service cannot be reached, or failed
├── RefusedError            it understood the request and refused it
└── UnauthorisedError       no token, or not a good one
"""

from collections.abc import Mapping

from datacomp.errors import ServiceError
from datacomp.reports import Finding


class RefusedError(ServiceError):
    """The service refused; `findings` has every reason, `code` and `status` are its answer's."""

    def __init__(
        self,
        message: str,
        findings: tuple[Finding, ...],
        *,
        status: int,
        code: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__("\n  ".join([message, *map(str, findings)]))
        self.findings, self.status, self.code, self.headers = findings, status, code, headers


class UnauthorisedError(ServiceError):
    """No token, one that is not good, or one that may not do this."""
