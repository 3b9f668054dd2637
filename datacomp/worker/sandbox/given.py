"""What every sandbox gives to the code in it: files of this machine, variables, limits."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from datacomp.worker.sandbox.outcome import GIB, MIB, Limits, Work

RESULT_FD = "DATACOMP_RESULT_FD"
"""The variable that names the descriptor to which the command writes its result."""
SHARED_BYTES = 64 * MIB
_ENTER = Path(__file__).with_name("enter.py")
_ENTER_THERE = "/in/enter.py"
_FIRST_OWN_USER = 0x70000000
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64")
_OPEN_FILES = 512
_RESERVED = 16 * GIB
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "USER": "nobody",
    "LANG": "C.UTF-8",
}


def own_user() -> int:
    """User and group of a run whose worker is root: they own nothing, and no other run has them."""
    return _FIRST_OWN_USER + os.getpid()


def written(user: int) -> dict[str, bytes]:
    """Files of our own making by their places: the list of users, and one instead of pip's.

    Whoever sets a worker up may have written a password into that, of a package index.
    """
    users = f"nobody:x:{user}:{user}:nobody:/tmp:/usr/sbin/nologin\n"
    pip = Path(sys.prefix) / "pip.conf"
    return {"/etc/passwd": users.encode()} | ({str(pip): b""} if pip.is_file() else {})


def environment(work: Work, result_fd: int) -> dict[str, str]:
    """All variables; of the first process as well, whose environment the code can read."""
    return {**_ENVIRONMENT, **work.environment, RESULT_FD: str(result_fd)}


def entry(work: Work, result_fd: int) -> list[str]:
    """The command, by way of the program that takes the limits on."""
    limits = json.dumps(_rlimits(work.limits))
    return [sys.executable, "-I", "-S", _ENTER_THERE, str(result_fd), limits, *work.words]


def shown(work: Work) -> dict[str, str]:
    """What can be read in there, read-only: the paths out here by their places."""
    given = {place: str(path) for place, path in work.binds.items()}
    return {**interpreter(), **given, _ENTER_THERE: str(_ENTER)}


def interpreter() -> dict[str, str]:
    """This Python, its packages, and the system's libraries, each at its own place."""
    places = [f"/{name}" for name in _SYSTEM if not Path(f"/{name}").is_symlink()]
    places += ["/usr", "/etc/ld.so.cache", "/etc/alternatives", sys.base_prefix, sys.prefix]
    known = dict.fromkeys(place for place in places if Path(place).exists())
    return {place: place for place in known if not _within(place, known)}


def links() -> dict[str, str]:
    """The system's folders that are links into others, and what they say."""
    found = (Path(f"/{name}") for name in _SYSTEM)
    return {str(link): os.readlink(link) for link in found if link.is_symlink()}


def said(words: list[str]) -> str:
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


def _within(place: str, places: Sequence[str] | Mapping[str, None]) -> bool:
    return any(Path(place) != Path(one) and Path(place).is_relative_to(one) for one in places)


def _rlimits(limits: Limits) -> dict[str, int]:
    return {
        "nproc": limits.processes,
        "nofile": _OPEN_FILES,
        "fsize": limits.scratch_bytes,
        # Of one process; allocators reserve gigabytes that they never touch. The watcher is exact,
        # this is for a machine on which it comes late.
        "data": limits.memory_bytes + _RESERVED,
        "core": 0,
        "memlock": 0,
    }
