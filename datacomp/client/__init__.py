"""The service's HTTP client: what the service offers, as methods; errors as sentences.

    with ServiceClient("http://127.0.0.1:8000", token) as service:
        receipt = service.submit(report, method="clip_score 30%")

`Connection` calls any operation by its id in openapi.json, the service's own description; each
feature's module stands on it.
"""

from datacomp.client.checks import findings_in, findings_of
from datacomp.client.connection import Connection
from datacomp.client.errors import RefusedError, UnauthorisedError
from datacomp.client.service import Receipt, ServiceClient

__all__ = [
    "Connection",
    "Receipt",
    "RefusedError",
    "ServiceClient",
    "UnauthorisedError",
    "findings_in",
    "findings_of",
]
