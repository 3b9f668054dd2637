"""A sandbox for the tests of foreign code. Without bubblewrap these tests fail, never skip."""

import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from datacomp.worker.sandbox import Limits, Outcome, missing, run

MIB = 2**20
SMALL = {
    "wall_seconds": 30.0,
    "memory_bytes": 256 * MIB,
    "scratch_bytes": 16 * MIB,
    "processes": 32,
    "output_bytes": MIB,
    "log_bytes": 2**16,
}


@dataclass(frozen=True)
class Ran:
    """How code ended in the sandbox, what it printed, and what it gave out."""

    outcome: Outcome
    log: str
    output: bytes

    @property
    def lines(self) -> list[str]:
        return self.log.splitlines()


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """What the machine needs."""
    if why := missing():
        pytest.fail(f"the tests of plugins need a sandbox: {why}")


@pytest.fixture
def in_sandbox(tmp_path: Path) -> Callable[..., Ran]:
    """`in_sandbox(code, binds=..., look=..., **limits)` runs Python code there."""

    def ran(
        code: str, binds: Mapping[str, Path] | None = None, look: Any = None, **limits: Any
    ) -> Ran:
        log, output = io.BytesIO(), tmp_path / "output"
        outcome = run(
            [sys.executable, "-I", "-S", "-c", code],
            binds=binds or {},
            environment={},
            limits=Limits(**(SMALL | limits)),
            log=log,
            output=output,
            look=look,
        )
        return Ran(outcome, log.getvalue().decode(), output.read_bytes())

    return ran
