"""Sandboxes for the tests of foreign code. Without one of them these tests fail, never skip."""

import io
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.pool import index_pool
from datacomp.worker.sandbox import Limits, Outcome, Work, bubblewrap, run, runc

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


def _there(sandbox: Any) -> Any:
    if why := sandbox.missing():
        pytest.fail(f"the tests of plugins need both kinds of sandbox: {why}")
    return sandbox


@pytest.fixture(scope="session", params=[bubblewrap, runc], ids=["bubblewrap", "runc"])
def sandbox(request: pytest.FixtureRequest) -> Any:
    """Each kind of sandbox."""
    return _there(request.param)


@pytest.fixture(scope="session")
def default_sandbox() -> None:
    """What the machine needs to run plugins."""
    _there(bubblewrap)


@pytest.fixture
def in_sandbox(tmp_path: Path, sandbox: Any) -> Callable[..., Ran]:
    """`in_sandbox(code, binds=..., look=..., **limits)` runs Python code there."""

    def ran(
        code: str, binds: Mapping[str, Path] | None = None, look: Any = None, **limits: Any
    ) -> Ran:
        log, output = io.BytesIO(), tmp_path / "output"
        work = Work(
            [sys.executable, "-I", "-S", "-c", code], Limits(**(SMALL | limits)), binds or {}
        )
        outcome = run(work, log=log, output=output, look=look, sandbox=sandbox)
        return Ran(outcome, log.getvalue().decode(), output.read_bytes())

    return ran


@pytest.fixture(scope="session")
def running() -> Callable[[str], list[int]]:
    """`running(marker)`: processes whose command line holds a text."""

    def found(marker: str) -> list[int]:
        pids = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                    pids.append(int(folder.name))
        return pids

    return found


@pytest.fixture
def plugin_pool(tmp_path: Path) -> Path:
    """Four rows in two parts, and what their builder planted."""
    folder = tmp_path / "pool"
    captions = [["a dog", "dog dog dog"], ["", "cat cat"]]
    for name in ("metadata", "truth"):
        (folder / name).mkdir(parents=True)
    for number, texts in enumerate(captions):
        uids = [f"{2 * number + row + 1:032x}" for row in range(2)]
        pq.write_table(
            pa.table({"uid": uids, "text": texts}), folder / "metadata" / f"{number}.parquet"
        )
    (folder / "truth" / "0.parquet").write_bytes(b"planted")
    index_pool(str(folder))
    return folder
