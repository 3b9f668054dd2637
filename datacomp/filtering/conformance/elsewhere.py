"""Runs a filter in a fresh process with the network off, and brings back what was seen there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datacomp.errors import FilterError
from datacomp.filtering.contract import Filter
from datacomp.filtering.tree import plugin_files, to_tree
from datacomp.pool import Pool
from datacomp.workspace import cache_dir

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Seen:
    """What another process saw: see child.py for the facts; its results are in `store`."""

    store: Path
    facts: Mapping[str, Any]


def run_elsewhere(chosen: Filter, pool: Pool, folder: Path, gpus: int) -> Seen:
    """Run a filter on a pool in a fresh interpreter, in an empty current folder.

    `FilterError` with the end of what it said if that process died.
    """
    store, here, scratch = folder / "scores", folder / "here", folder / "tmp"
    for made in (here, scratch):
        made.mkdir(parents=True)
    # Strings hash otherwise over there, so that an order that comes from a set shows.
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONHASHSEED": seed}
    caches = [cache_dir(), os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")]
    request = {
        "tree": to_tree(chosen),
        "plugins": [str(path) for path in plugin_files(chosen)],
        "pool": str(Path(pool.url).resolve()),
        "store": str(store),
        "gpus": gpus,
        "allowed": [str(path) for path in (store, scratch, *caches)],
        "report": str(folder / "report.json"),
    }
    (folder / "request.json").write_text(json.dumps(request))
    command = [sys.executable, "-P", str(CHILD), str(folder / "request.json")]
    ended = subprocess.run(
        command, cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise FilterError(f"the process ended with {ended.returncode}; it said: {said[0]}")
    return Seen(store, json.loads((folder / "report.json").read_text()))
