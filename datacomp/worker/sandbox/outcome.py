"""A run of foreign code: what it is, what it may use up, and how it ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from datacomp.errors import DatacompError

MIB, GIB = 2**20, 2**30

KilledBy = Literal["time", "memory", "files", "output"]


class SandboxError(DatacompError):
    """The sandbox could not be set up: the machine's fault, never that of the code in it."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one run. Its scratch files are in memory, so that it may use both sums together."""

    wall_seconds: float = 3600.0
    memory_bytes: int = 8 * GIB
    """Of all its processes together; shared pages count once."""
    scratch_bytes: int = 4 * GIB
    """Of all that it writes to /tmp."""
    scratch_files: int = 100_000
    processes: int = 512
    """Processes and threads together."""
    output_bytes: int = 4 * GIB
    log_bytes: int = 4 * MIB
    """The first and the last half are kept."""


@dataclass(frozen=True)
class Work:
    """A command, what it finds where (read-only), and its variables beyond the usual ones."""

    words: Sequence[str]
    limits: Limits = field(default_factory=Limits)
    binds: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How it ended: its exit code (negative: a signal), or what limit it was killed at.

    `peak_memory_bytes` is the highest that was seen, ten times a second or more often.
    """

    exit: int
    killed_by: KilledBy | None
    wall_seconds: float
    peak_memory_bytes: int
    output_bytes: int
