"""What a check found: a stable code, the task it concerns, and a sentence."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One reason to refuse a report; `code` never changes its meaning."""

    code: str
    task: str | None
    message: str

    def __str__(self) -> str:
        where = f" [{self.task}]" if self.task else ""
        return f"{self.code}{where} {self.message}"
