"""The command line of bubblewrap: what foreign code sees, which is what is named here.

A worker that runs as root gives the code a user of its own: a first bwrap lays out the files that
only root may reach, changes the user, and starts the second one, which is the same for everybody.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from datacomp.worker.sandbox.outcome import MIB, Limits
from datacomp.worker.sandbox.seccomp import supported

NOBODY = 65534
OLDEST = (0, 8)
"""--disable-userns and --size are as old."""
SHARED_BYTES = 64 * MIB
_FIRST_OWN_USER = 0x70000000
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64")
_INSTALL = "Install it with: apt-get install bubblewrap"


@lru_cache(maxsize=1)
def missing() -> str | None:
    """Why there is no sandbox on this machine, with the remedy; None if there is one."""
    if sys.platform != "linux" or not supported():
        return f"foreign code is run on Linux, x86_64 or aarch64; this is {platform.platform()}"
    if not Path("/proc/thread-self/children").exists():
        return "this kernel does not tell a process's children (CONFIG_PROC_CHILDREN)"
    if shutil.which("bwrap") is None:
        return f"bubblewrap (bwrap) is not installed. {_INSTALL}"
    said = _said(["bwrap", "--version"])
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < OLDEST:
        return f"bubblewrap is {said.strip()!r}, expected 0.8 or newer"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "setpriv is not installed, and this is root. Install it with: apt install util-linux"
    said = _said([*command({}, Limits(), None, None), "/usr/bin/true"])
    if said:
        return (
            f"bubblewrap cannot make a sandbox here: {said.strip()}. Containers need leave to make "
            "user namespaces; see docs/plugins.md"
        )
    return None


def command(
    binds: Mapping[str, Path], limits: Limits, seccomp_fd: int | None, passwd_fd: int | None
) -> list[str]:
    """The words before those of the code's own command; `binds` are shown read-only."""
    shown = {**_interpreter(), **{place: str(path) for place, path in binds.items()}}
    inner = [
        *(_path("bwrap"), "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY)),
        *_links(),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(SHARED_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--size", str(limits.scratch_bytes), "--perms", "1777", "--tmpfs", "/tmp"),
        *("--remount-ro", "/dev"),
    ]
    if passwd_fd is not None:
        inner += ["--ro-bind-data", str(passwd_fd), "/etc/passwd"]
    if seccomp_fd is not None:
        inner += ["--seccomp", str(seccomp_fd)]
    ends = ["--remount-ro", "/", "--chdir", "/tmp", "--"]
    if os.getuid():
        return [*inner, *_bound(shown), *ends]
    # What the first one shows at a place, the second one finds there.
    return [*_as_own_user(shown), *inner, *_bound({place: place for place in shown}), *ends]


def _as_own_user(shown: Mapping[str, str]) -> list[str]:
    # No namespace for users in this one: root lays out the files, then stops being root for good.
    # With processes of its own, so that the end of the worker ends all that follows.
    user = str(_FIRST_OWN_USER + os.getpid())
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


def _interpreter() -> dict[str, str]:
    """This Python, its packages, and the system's libraries, each at its own place."""
    places = [f"/{name}" for name in _SYSTEM if not Path(f"/{name}").is_symlink()]
    places += ["/usr", "/etc/ld.so.cache", "/etc/alternatives", sys.base_prefix, sys.prefix]
    known = dict.fromkeys(place for place in places if Path(place).exists())
    return {place: place for place in known if not _within(place, known)}


def _within(place: str, places: Sequence[str] | Mapping[str, None]) -> bool:
    return any(Path(place) != Path(one) and Path(place).is_relative_to(one) for one in places)


def _links() -> list[str]:
    links = [Path(f"/{name}") for name in _SYSTEM]
    return [
        word
        for link in links
        if link.is_symlink()
        for word in ("--symlink", os.readlink(link), str(link))
    ]


def _said(words: list[str]) -> str:
    """What a command says, and that it failed if it did so in silence."""
    ended = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        text=True,
        check=False,
    )
    return ended.stdout or (f"exit code {ended.returncode}" if ended.returncode else "")
