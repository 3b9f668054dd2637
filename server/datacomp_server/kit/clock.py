"""The server's clock, in one place, so that no client's time is ever trusted."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
