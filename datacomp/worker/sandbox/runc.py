"""A sandbox by runc, the program by which Docker and containerd start containers; without these.

For workers that run as root where bubblewrap is not installed. The container has no image: it sees
what bubblewrap's would see. It ends with its standard input, which the worker holds.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from signal import SIGKILL
from typing import Any
from uuid import uuid4

from datacomp.worker.sandbox import given
from datacomp.worker.sandbox.first import RESULT
from datacomp.worker.sandbox.outcome import SandboxError, Work
from datacomp.worker.sandbox.seccomp import program
from datacomp.worker.sandbox.tree import children

OLDEST = (1, 1)
"""Of mounts whose own mounts are read-only too (rro)."""
_FIRST = Path(__file__).with_name("first.py")
_FIRST_THERE, _RULES_THERE = "/in/first.py", "/in/rules"
_LOOK_EVERY_SECONDS, _PATIENCE_SECONDS = 0.05, 30.0
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
_HIDDEN = ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "scsi", "timer_list")
_UNCHANGED = ("bus", "fs", "irq", "sys", "sysrq-trigger")


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why runc can make no sandbox here; None if it can."""
    if os.getuid():
        return "runc makes sandboxes for workers that run as root only"
    if _path() is None:
        return "runc is not installed"
    said = given.said([str(_path()), "--version"])
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        return f"runc is {said.strip()!r}, expected 1.1 or newer"
    with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as result:
        with tempfile.TemporaryDirectory() as folder:
            work = Work(["/usr/bin/true"])
            with started(work, Path(folder), log.fileno(), result.fileno()) as process:
                process.wait()
        log.seek(0)
        result.seek(0)
        if process.returncode or result.read() != b"1":
            return f"runc cannot make a sandbox here: {log.read().decode(errors='replace').strip()}"
    return None


@contextmanager
def started(
    work: Work, folder: Path, log_fd: int, result_fd: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start it; all of it has ended after this. `folder` holds the container's description."""
    with tempfile.TemporaryDirectory(prefix="container-", dir=folder) as bundle:
        _describe(work, Path(bundle))
        process = subprocess.Popen(
            [
                *(str(_path()), "--root", f"{bundle}/state", "run", "--bundle", bundle),
                # Of all on this machine it is the name of a control group.
                f"datacomp-{uuid4().hex}",
            ],
            stdin=subprocess.PIPE,
            stdout=result_fd,
            stderr=log_fd,
            env={},
            # Of the folders that runc makes to mount on.
            umask=0o022,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the container; runc takes away what it made for it, and ends too."""
    if process.stdin is not None:
        process.stdin.close()
    start = time.monotonic()
    while process.poll() is None:
        # Of runc, which waits; the first process of a namespace is gone only after all others.
        for pid in children(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)
        if time.monotonic() > start + _PATIENCE_SECONDS:
            process.kill()
            raise SandboxError(f"runc does not end: killed after {_PATIENCE_SECONDS:.0f} s")
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_EVERY_SECONDS)


def _describe(work: Work, bundle: Path) -> None:
    """Write what runc reads: the container's description, and files for it."""
    root = bundle / "root"
    root.mkdir()
    root.chmod(0o755)
    for place, to in given.links().items():
        (root / place.lstrip("/")).symlink_to(to)
    written = {_RULES_THERE: program(), **given.written(given.own_user())}
    shown = {**given.shown(work), _FIRST_THERE: str(_FIRST)}
    for number, (place, data) in enumerate(written.items()):
        file = bundle / f"file-{number}"
        file.write_bytes(data)
        file.chmod(0o644)
        shown[place] = str(file)
    (bundle / "config.json").write_text(json.dumps(_description(work, root, shown)))


def _description(work: Work, root: Path, shown: dict[str, str]) -> dict[str, Any]:
    """The container, in the terms of the OCI runtime specification, 1.0.2."""
    first = [sys.executable, "-I", "-S", _FIRST_THERE, _RULES_THERE]
    user = given.own_user()
    return {
        "ociVersion": "1.0.2",
        "hostname": "sandbox",
        "root": {"path": str(root), "readonly": True},
        "process": {
            "user": {"uid": user, "gid": user},
            "args": [*first, *given.entry(work, RESULT)],
            "env": [f"{name}={value}" for name, value in given.environment(work, RESULT).items()],
            "cwd": "/tmp",
            "capabilities": {},
            "noNewPrivileges": True,
            # Where memory runs short in spite of all, the kernel takes it back from here first.
            "oomScoreAdj": 1000,
        },
        "mounts": [
            _mount("/proc", "proc", "nodev", "noexec", "ro"),
            _mount("/dev", "tmpfs", "mode=755", "size=64k"),
            _mount("/dev/shm", "tmpfs", "nodev", "mode=1777", f"size={given.SHARED_BYTES}"),
            _mount("/tmp", "tmpfs", "nodev", "mode=1777", f"size={work.limits.scratch_bytes}"),
            # Mapped, it is memory that belongs to no process.
            _mount("/dev/zero", "bind", "bind") | {"source": "/dev/null"},
            *(_bind(place, path) for place, path in shown.items()),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "maskedPaths": [f"/proc/{name}" for name in _HIDDEN],
            "readonlyPaths": [f"/proc/{name}" for name in _UNCHANGED],
        },
    }


def _mount(place: str, kind: str, *options: str) -> dict[str, Any]:
    return {"destination": place, "type": kind, "source": kind, "options": ["nosuid", *options]}


def _bind(place: str, path: str) -> dict[str, Any]:
    options = ["rbind", "rro", "rnosuid", "rnodev"]
    return {"destination": place, "type": "bind", "source": path, "options": options}


def _path() -> str | None:
    return shutil.which("runc")
