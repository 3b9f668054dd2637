"""What the check of a file says: the facts of a good one, or every reason to refuse it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from datacomp.reports import Finding


@dataclass(frozen=True)
class Checked:
    """`facts` are JSON values, and empty where there are findings."""

    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class BadFileError(Exception):
    """A check stops here: what follows could not be read, or not safely."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(code, None, message)


def refused(findings: Iterable[Finding]) -> Checked:
    """A file that has these findings."""
    return Checked(tuple(findings))


def shown(value: object, limit: int = 80) -> str:
    """A value of somebody else's file, as it may stand in a message: quoted, without controls,
    short.
    """
    text = ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
