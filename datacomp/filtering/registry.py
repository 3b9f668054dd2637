"""Filters by name: from the entry-point group `datacomp.filters`, and from plugin files.

    FILTERS.get("clip_score")
    load_plugin(Path("mine.py"))      # explicit; nothing is ever searched for

A package registers its filters in pyproject.toml:

    [project.entry-points."datacomp.filters"]
    my_filter = "my_package.my_filter:MyFilter"
"""

import hashlib
import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType

from datacomp.errors import FilterError
from datacomp.filtering.contract import Filter
from datacomp.filtering.spec import PLUGIN_PREFIX
from datacomp.registry import Registry

# Words of selection files (tree.py), which would hide a filter of that name.
RESERVED = (
    *("and", "or", "minus", "cascade", "cap", "mix"),
    *("top_fraction", "threshold", "band", "soft_cap", "hard_cap"),
)

FILTERS = Registry[type[Filter]]("filter", group="datacomp.filters", see="datacomp filter list")


def filter_class(name: str) -> type[Filter]:
    """The filter class of that name; `UnknownNameError` if none, `FilterError` if it is not one."""
    kind = FILTERS.get(name)
    if not (isinstance(kind, type) and issubclass(kind, Filter)):
        raise FilterError(f"{FILTERS.origin(name)}: {name!r} is not a subclass of Filter")
    if getattr(kind, "name", None) != name:
        raise FilterError(
            f"{FILTERS.origin(name)}: registered as {name!r}, but its class says "
            f"name = {getattr(kind, 'name', None)!r}; make them equal"
        )
    if name in RESERVED:
        raise FilterError(
            f"{FILTERS.origin(name)}: {name!r} is a word of selection files; choose another name"
        )
    return kind


def load_plugin(path: Path) -> tuple[str, ...]:
    """Run a Python file and register every filter class that it defines; returns their names.

    Loading the same file again changes nothing. `FilterError` with file and line if it raises.
    """
    path = path.resolve()
    if not path.is_file():
        raise FilterError(f"no plugin file {path}")
    kinds = [
        kind
        for _, kind in inspect.getmembers(_module(path), inspect.isclass)
        if issubclass(kind, Filter)
        and not inspect.isabstract(kind)
        and kind.__module__ == _module_name(path)
        and hasattr(kind, "name")
    ]
    if not kinds:
        raise FilterError(
            f"plugin {path} defines no subclass of datacomp.filtering.Filter with a name"
        )
    for kind in kinds:
        FILTERS.add(kind.name, kind, origin=str(path))
    return tuple(kind.name for kind in kinds)


def _module(path: Path) -> ModuleType:
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FilterError(f"plugin {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f", line {frame.lineno}" for frame in frames if frame.filename == str(path)]
        kind = type(error).__name__
        raise FilterError(
            f"plugin {path} cannot be loaded{(lines or [''])[-1]}: {kind}: {error}"
        ) from error
    return module


def _module_name(path: Path) -> str:
    return f"{PLUGIN_PREFIX}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
