"""Filter plugins as submissions: what happens to them inside the sandbox, and out here."""

import importlib.util
import os
from dataclasses import replace

from datacomp.worker.sandbox import Limits, missing

NEEDED = ("pip", "packaging", "setuptools", "hatchling")


def unable() -> str | None:
    """Why this machine cannot run plugins, with the remedy; None if it can."""
    if why := missing():
        return why
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return f"{', '.join(lacking)}: not installed. Run: pip install 'datacomp[worker]'"
    return None


def limits_here(wall_seconds: float) -> Limits:
    """What a plugin may use up: at most half of this machine's memory, and a quarter for files."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    usual = Limits(wall_seconds=wall_seconds)
    return replace(
        usual,
        memory_bytes=min(usual.memory_bytes, machine // 2),
        scratch_bytes=min(usual.scratch_bytes, machine // 4),
    )
