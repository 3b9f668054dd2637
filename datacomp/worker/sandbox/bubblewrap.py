"""A sandbox by bubblewrap: what foreign code sees, which is what is named here.

A worker that runs as root gives the code a user of its own: a first bwrap lays out the files that
only root may reach, changes the user, and starts the second one, which is the same for everybody.
"""

import os
import re
import select
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from datacomp.worker.sandbox import given
from datacomp.worker.sandbox.outcome import Limits, Work
from datacomp.worker.sandbox.seccomp import program
from datacomp.worker.sandbox.tree import children

OLDEST = (0, 8)
"""--disable-userns and --size are as old."""
_NOBODY = 65534
# Where memory runs short in spite of all, the kernel takes it back from here first. Told before
# /proc is read-only, so that the code cannot take it back.
_FIRST_TO_GO = ("/bin/sh", "-c", 'echo 1000 > /proc/self/oom_score_adj; exec "$0" "$@"')
_INSTALL = "Install it with: apt-get install bubblewrap"


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why bubblewrap can make no sandbox here, with the remedy; None if it can."""
    if shutil.which("bwrap") is None:
        return f"bubblewrap (bwrap) is not installed. {_INSTALL}"
    said = given.said(["bwrap", "--version"])
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        return f"bubblewrap is {said.strip()!r}, expected 0.8 or newer"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "setpriv is not installed, and this is root. Install it with: apt install util-linux"
    said = given.said([*command(given.interpreter(), Limits(), None, {}), "/usr/bin/true"])
    if said:
        return (
            f"bubblewrap cannot make a sandbox here: {said.strip()}. Containers need leave to make "
            "user namespaces; see docs/plugins.md"
        )
    return None


@contextmanager
def started(
    work: Work, folder: Path, log_fd: int, result_fd: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start it; all of it has ended after this. Nothing is put into `folder`."""
    rules = _holding(program())
    files = {place: _holding(data) for place, data in given.written(_NOBODY).items()}
    sandbox = command(given.shown(work), work.limits, rules, files)
    try:
        process = subprocess.Popen(
            [*_FIRST_TO_GO, *sandbox, *given.entry(work, result_fd)],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=[result_fd, rules, *files.values()],
            env=given.environment(work, result_fd),
        )
    finally:
        for fd in (rules, *files.values()):
            os.close(fd)
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill all of it that is left, and wait until it is gone."""
    if process.poll() is None:
        # The first process of its namespace is gone only after every other one in there.
        firsts = []
        for pid in children(process.pid):
            with suppress(ProcessLookupError):
                firsts.append(os.pidfd_open(pid))
        process.kill()
        process.wait()
        for first in firsts:
            select.select([first], [], [])
            os.close(first)


def command(
    shown: Mapping[str, str], limits: Limits, rules_fd: int | None, files: Mapping[str, int]
) -> list[str]:
    """The words before those of the code's own command; `files` are read from descriptors."""
    inner = [
        *(_path("bwrap"), "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--uid", str(_NOBODY), "--gid", str(_NOBODY)),
        *_links(),
        *("--proc", "/proc", "--dev", "/dev"),
        # Mapped, it is memory that belongs to no process.
        *("--dev-bind", "/dev/null", "/dev/zero"),
        *("--size", str(given.SHARED_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--size", str(limits.scratch_bytes), "--perms", "1777", "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev", "--remount-ro", "/proc"),
    ]
    if rules_fd is not None:
        inner += ["--seccomp", str(rules_fd)]
    ends = [
        *(word for place, fd in files.items() for word in ("--ro-bind-data", str(fd), place)),
        *("--remount-ro", "/", "--chdir", "/tmp", "--"),
    ]
    if os.getuid():
        return [*inner, *_bound(shown), *ends]
    # What the first one shows at a place, the second one finds there.
    return [*_as_own_user(shown), *inner, *_bound({place: place for place in shown}), *ends]


def _as_own_user(shown: Mapping[str, str]) -> list[str]:
    # No namespace for users in this one: root lays out the files, then stops being root for good.
    # With processes of its own, so that the end of the worker ends all that follows.
    user = str(given.own_user())
    return [
        *(_path("bwrap"), "--die-with-parent", "--unshare-pid"),
        *("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"),
        *_links(),
        *("--perms", "0755", "--dir", "/tmp", "--dev", "/dev", "--bind", "/proc", "/proc"),
        *_bound(shown),
        *("--", _path("setpriv"), "--reuid", user, "--regid", user, "--clear-groups", "--"),
    ]


def _path(tool: str) -> str:
    return shutil.which(tool) or tool


def _bound(shown: Mapping[str, str]) -> list[str]:
    words, made = [], {"/"}
    for place, path in shown.items():
        for parent in [str(folder) for folder in reversed(Path(place).parents)]:
            if parent not in made:
                words += ["--perms", "0755", "--dir", parent]
                made.add(parent)
        words += ["--ro-bind", path, place]
    return words


def _links() -> list[str]:
    return [word for place, to in given.links().items() for word in ("--symlink", to, place)]


def _holding(data: bytes) -> int:
    """A descriptor from which a little data can be read."""
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    return read
