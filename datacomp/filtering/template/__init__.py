"""A package with a filter to start from, as `datacomp filter new` writes it.

The files under `files/` are a whole package named my_filter; making another one of it is putting
its name into their text and paths.
"""

import importlib.util
import keyword
import re
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from datacomp import __version__
from datacomp.errors import UsageError
from datacomp.filtering.registry import FILTERS

_SUFFIX = ".tmpl"
_NAME = re.compile("[a-z][a-z0-9_]*")


def write_package(name: str, folder: Path) -> tuple[Path, ...]:
    """Write the package `name` into a new folder, whole or not at all; returns relative paths.

    `UsageError` if the name cannot be a package's or is taken, or if the folder holds anything.
    """
    _demand_free(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and not empty. Name another folder with -o")
    rendered = render(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        for path, text in rendered.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, encoding="utf-8")
        made.replace(folder)
    return tuple(rendered)


def render(name: str) -> dict[Path, str]:
    """The package's files by relative path, for a valid name."""
    words = {
        "my_filter": name,
        "my-filter": name.replace("_", "-").strip("-"),
        "MyFilter": "".join(word.capitalize() for word in name.split("_")),
        "0.0.0": __version__,
    }
    rendered = {}
    for path, source in _walk(files(__name__) / "files", Path()):
        text, place = source.read_text(encoding="utf-8"), path.as_posix().removesuffix(_SUFFIX)
        for old, new in words.items():
            text, place = text.replace(old, new), place.replace(old, new)
        rendered[Path(place)] = text
    return rendered


def _walk(folder: Traversable, path: Path) -> list[tuple[Path, Traversable]]:
    found = []
    for child in sorted(folder.iterdir(), key=lambda child: child.name):
        if child.is_dir():
            found += _walk(child, path / child.name)
        elif child.name.endswith(_SUFFIX):
            found.append((path / child.name, child))
    return found


def _demand_free(name: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot be the name of a filter and its package; expected small letters, "
            "digits and _, a letter first, such as long_captions"
        )
    if name in FILTERS:
        raise UsageError(
            f"a filter named {name!r} is there already, from {FILTERS.origin(name)}. Choose another"
        )
    if importlib.util.find_spec(name) is not None:
        raise UsageError(f"Python has a module named {name!r} already. Choose another name")
