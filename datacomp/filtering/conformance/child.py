"""A filter in a process of its own: what it imports, and what it reaches for while it runs.

Run as a file, `python child.py REQUEST`, so that the import of the engine can be measured. It
writes what it saw, as JSON, to the path that the request names.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

HEAVY = frozenset(
    {
        "cv2",
        "fasttext",
        "jax",
        "keras",
        "matplotlib",
        "nltk",
        "numba",
        "onnxruntime",
        "open_clip",
        "pandas",
        "ray",
        "scipy",
        "sentence_transformers",
        "sklearn",
        "spacy",
        "tensorflow",
        "timm",
        "torch",
        "transformers",
    }
)
"""Packages that take long to import, or claim a GPU when they are."""

_PLACES = {
    "os.chdir": (0,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "shutil.rmtree": (0,),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class NetworkRefusedError(OSError):
    """Somebody reached for the network."""


class Watch:
    """Notes attempts to reach the network, which it refuses, and writes outside `allowed`.

    Sees what goes through Python: C code that opens sockets by itself is not seen.
    """

    def __init__(self, allowed: tuple[Path, ...]) -> None:
        self.allowed = allowed
        self.on = False
        self.network: list[str] = []
        self.written: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            path, _, flags = args
            if isinstance(path, str | bytes) and flags & _WRITES:
                self._write(path)
        elif event in _PLACES:
            # Relative to an open folder: a step inside of rmtree, which was seen as a whole.
            relative = args[-1] not in (-1, None) and event != "os.chdir"
            made_before = event == "os.mkdir" and os.path.isdir(args[0])
            if not relative and not made_before:
                for place in _PLACES[event]:
                    self._write(args[place])
        elif event.startswith("socket."):
            self._network(event, args)

    def _write(self, path: Any) -> None:
        place = Path(os.path.realpath(os.fsdecode(path)))
        inside = any(place.is_relative_to(folder) for folder in self.allowed)
        if not inside and "__pycache__" not in place.parts and str(place) != os.devnull:
            self.written.append(str(place))

    def _network(self, event: str, args: tuple[Any, ...]) -> None:
        if event in ("socket.getaddrinfo", "socket.gethostbyname"):
            target = ":".join(str(arg) for arg in args[:2] if arg is not None)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            if getattr(args[0], "family", None) == getattr(_socket(), "AF_UNIX", object()):
                return
            target = ":".join(map(str, args[1])) if isinstance(args[1], tuple) else str(args[1])
        else:
            return
        self.network.append(target)
        raise NetworkRefusedError(f"the network is off while a filter is checked ({target})")


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Import, run, and tell."""
    start = time.process_time()
    import datacomp.filtering  # noqa: F401

    facts: dict[str, Any] = {"engine_seconds": time.process_time() - start, "error": None}
    watch = Watch(tuple(Path(os.path.realpath(path)) for path in request["allowed"]))
    here, watch.on = os.getcwd(), True
    try:
        _run(request, _built(request, facts), facts)
    except Exception as error:
        facts["error"] = f"{type(error).__name__}: {error}"
    watch.on = False
    moved = [] if os.getcwd() == here else [os.getcwd()]
    left = [str(path) for path in Path(here).iterdir()]
    return {**facts, "network": watch.network, "written": [*watch.written, *moved, *left]}


def _built(request: dict[str, Any], facts: dict[str, Any]) -> Any:
    """The filter; what `filter list` asks it included."""
    from datacomp.filtering import load_plugin
    from datacomp.filtering.tree import from_tree

    before, start = set(sys.modules), time.process_time()
    for plugin in request["plugins"]:
        load_plugin(Path(plugin))
    chosen = from_tree(request["tree"])
    for step in chosen.steps():
        step.outputs()
    facts["import_seconds"] = time.process_time() - start
    facts["heavy"] = sorted(HEAVY & {name.partition(".")[0] for name in set(sys.modules) - before})
    return chosen


def _run(request: dict[str, Any], chosen: Any, facts: dict[str, Any]) -> None:
    from datacomp.filtering import LocalExecutor, run_filter
    from datacomp.pool import open_pool

    pool, store = open_pool(request["pool"]), Path(request["store"])
    executor = LocalExecutor(1, request["gpus"])
    facts["subset"] = run_filter(chosen, pool, store, executor).subset.sha256


def _socket() -> Any:
    return sys.modules.get("socket") or sys.modules["_socket"]


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    Path(asked["report"]).write_text(json.dumps(main(asked)))
