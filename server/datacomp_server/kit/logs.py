"""The service's log: one JSON object a line on standard error, or a line of text, no secret in it.

What looks like a token, a cookie, an Authorization header or a password in an address is replaced
wherever it stands, in tracebacks too. Requests are logged by their route, not by their address,
which may hold an invite.
"""

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_HIDDEN = "[hidden]"
_SECRETS = (
    re.compile(r"\bdc[a-z]_[0-9A-Za-z]{8,}"),  # our tokens and invites
    re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]+"),
    re.compile(r"(?i)(?<=\bbasic )[\w.~+/=-]{8,}"),
    re.compile(r"(?i)(?<=\bcookie: )[^\n]+"),
    re.compile(r"(?i)(?<=\bcookie': ')[^']+"),
    re.compile(r"((?<=datacomp=)|(?<=datacomp-flow=))[^;\s'\"]+"),  # our own cookies
    re.compile(r"(?<=://)[^/\s@]+:[^/\s@]+(?=@)"),
    re.compile(r"(?i)((?<=password\": \")|(?<=password': '))[^\"']+"),
    re.compile(r"(?i)((?<=password=)|(?<=secret=)|(?<=token=)|(?<=code=))[^&\s'\"]+"),
)


def redact(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(_HIDDEN, text)
    return text


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, request, error, and its `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        value = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if (own_id := request_id.get()) is not None:
            value["request"] = own_id
        if record.exc_info:
            value["error"] = redact(self.formatException(record.exc_info))
        facts = getattr(record, "facts", {})
        return json.dumps({**facts, **value}, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """The same for people who read along."""

    def format(self, record: logging.LogRecord) -> str:
        """The line or, with a traceback, lines."""
        facts = getattr(record, "facts", {})
        words = " ".join(f"{name}={value}" for name, value in facts.items())
        return redact(f"{super().format(record)} {words}".rstrip())


def configure(form: str) -> None:
    """Send every log record to standard error, as "json" or "text" lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else TextLines("%(asctime)s %(levelname)s %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("alembic", "httpx", "botocore", "aiobotocore", "s3fs", "fsspec"):
        logging.getLogger(name).setLevel(logging.WARNING)
