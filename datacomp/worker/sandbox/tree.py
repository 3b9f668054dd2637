"""What a process and all that came of it hold, read from /proc; needs no privileges.

All processes of a sandbox are found: one whose parent ended becomes a child of the sandbox's first.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_KIB = 2**10
_SCRATCH = ("/tmp", "/dev/shm")


@dataclass(frozen=True)
class Held:
    """Bytes of memory of all processes together; files and folders in both scratch folders.

    0 files also where it cannot be seen: before the sandbox stands, and when it is gone.
    """

    memory_bytes: int
    scratch_files: int


def held(root: int, memory_limit: int) -> Held:
    """Measure the tree of processes that starts at `root`.

    Forked processes share pages: they are told apart, which takes longer, above `memory_limit`.
    """
    tree = _tree(root)
    memory = sum(map(_resident, tree))
    if memory > memory_limit:
        memory = sum(map(_proportional, tree))
    return Held(memory, _scratch_files(tree))


def children(parent: int) -> list[int]:
    """The processes that a process started and that have not ended; none if it has itself."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{parent}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        found += children(pid)
    return found


def _resident(pid: int) -> int:
    """Bytes of memory that no file can give back; shared pages count in every process."""
    return _sum(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:"))


def _proportional(pid: int) -> int:
    """As `_resident`, a page shared by n processes counting 1/n in each, where it can be known."""
    shared = _sum(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))
    return shared or _resident(pid)


def _sum(path: str, fields: tuple[str, ...]) -> int:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields)) * _KIB


def _scratch_files(tree: list[int]) -> int:
    for pid in reversed(tree):
        try:
            facts = [os.statvfs(f"/proc/{pid}/root{place}") for place in _SCRATCH]
            same = os.stat(f"/proc/{pid}/root/tmp").st_dev == os.stat("/tmp").st_dev
        except OSError:
            continue
        if not same:
            return sum(one.f_files - one.f_ffree for one in facts)
    return 0
