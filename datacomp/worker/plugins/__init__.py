"""Filter plugins as submissions: what happens to them inside the sandbox, and out here."""

import importlib.util

from datacomp.worker.sandbox import missing

NEEDED = ("pip", "packaging", "setuptools", "hatchling")


def unable() -> str | None:
    """Why this machine cannot run plugins, with the remedy; None if it can."""
    if why := missing():
        return why
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return f"{', '.join(lacking)}: not installed. Run: pip install 'datacomp[worker]'"
    return None
