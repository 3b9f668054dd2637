"""img2dataset's messages, grouped into the few reasons that a person wants to read."""

import re
from collections.abc import Mapping

NOT_RECORDED = "not recorded by img2dataset"
SUCCESS = "success"

_REASONS: tuple[tuple[str, str], ...] = (
    ("not a public address", r"not a public address"),
    ("too large", r"larger than"),
    ("redirect loop", r"infinite loop"),
    ("not found (404, 410)", r"HTTP Error (404|410)"),
    ("forbidden (401, 403)", r"HTTP Error (401|403)"),
    ("too many requests (429)", r"HTTP Error 429"),
    ("other refusal (4xx)", r"HTTP Error 4\d\d"),
    ("server error (5xx)", r"HTTP Error 5\d\d"),
    ("other HTTP answer", r"HTTP Error"),
    ("opted out (X-Robots-Tag)", r"X-Robots-Tag"),
    ("truncated", r"IncompleteRead|bytes read|end of file"),
    ("timeout", r"timed? ?out"),
    ("certificate or TLS", r"SSL|CERTIFICATE|TLS"),
    (
        "host not found",
        r"Name or service not known|nodename nor servname|name resolution|getaddrinfo|"
        r"No address associated|Name does not resolve",
    ),
    (
        "no connection",
        r"Connection|[Cc]onnection|unreachable|No route|closed|reset by peer|Errno 1(01|04|11|13)",
    ),
    ("impossible address", r"unknown url type|no host given|Invalid|invalid|codec|control char"),
    ("not an image", r"Image decoding error"),
    (NOT_RECORDED, NOT_RECORDED),
)
OTHER = "other"


def reason(message: str) -> str:
    """The group of one message; `other` where none fits."""
    return next((name for name, pattern in _REASONS if re.search(pattern, message)), OTHER)


def group(statuses: Mapping[str, int]) -> dict[str, int]:
    """Failures by reason, of a `status_dict`: messages with counts; successes are left out."""
    groups: dict[str, int] = {}
    for message, count in statuses.items():
        if message != SUCCESS:
            groups[reason(message)] = groups.get(reason(message), 0) + count
    return groups
