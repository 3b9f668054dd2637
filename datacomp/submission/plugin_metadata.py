"""What a plugin says of itself: name, version, requirements, the filters that it registers."""

import configparser
import re
import tomllib
from email.message import Message
from email.parser import BytesParser
from typing import Any

from datacomp.submission.checked import BadFileError, shown
from datacomp.submission.plugin_members import Members

GROUP = "datacomp.filters"
MAX_REQUIRES = 100
_NAME = re.compile(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]{0,98}[A-Za-z0-9]")
# Version numbers as the packaging rules normalise them, without a local part.
_VERSION = re.compile(r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?", re.ASCII)
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_TARGET = re.compile(rf"{_MODULE}:{_MODULE}", re.ASCII)
_FILTER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def wheel_facts(members: Members) -> dict[str, Any]:
    """Of a wheel: pure Python for any platform, with at least one filter; F406, F407, F408."""
    folders = {name.split("/")[0] for name in members.kept}
    if len(folders) != 1:
        raise BadFileError("F407", f"expected one .dist-info, there are {len(folders)}")
    info = folders.pop()
    named = _headers(members, f"{info}/METADATA")
    wheel = _headers(members, f"{info}/WHEEL")
    tags = [str(tag) for tag in wheel.get_all("Tag", [])]
    if wheel.get("Root-Is-Purelib", "").strip().lower() != "true" or not tags:
        raise BadFileError("F406", "its WHEEL does not say Root-Is-Purelib: true and a Tag")
    if bad := [tag for tag in tags if not re.fullmatch(r"py(2\.py)?3[0-9]*-none-any", tag)]:
        raise BadFileError("F406", f"its Tag is {shown(bad[0])}, expected py3-none-any")
    if any(top.endswith(".data") for top in members.folders_at_top()):
        raise BadFileError("F406", "it has a .data folder: scripts and files outside of itself")
    name, version = _identity(named)
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    if info.casefold() != f"{stem}.dist-info".casefold():
        raise BadFileError("F407", f"{shown(info)} is not the folder of {name} {version}")
    return {
        "kind": "wheel",
        "name": name,
        "version": version,
        "filename": f"{stem.lower()}-py3-none-any.whl",
        "requires": _requires(named),
        "entry_points": _entry_points(members.kept.get(f"{info}/entry_points.txt", b"")),
    }


def sdist_facts(members: Members) -> dict[str, Any]:
    """Of an sdist: one folder with PKG-INFO and a pyproject.toml that can be read; F407."""
    folders = {name.split("/")[0] for name in members.kept}
    if len(folders) != 1 or members.folders_at_top() != folders:
        raise BadFileError("F407", "expected one folder with PKG-INFO and pyproject.toml in it")
    folder = folders.pop()
    named = _headers(members, f"{folder}/PKG-INFO")
    project = members.kept.get(f"{folder}/pyproject.toml")
    if project is None:
        raise BadFileError("F407", "it has no pyproject.toml")
    try:
        tomllib.loads(project.decode())
    except (ValueError, RecursionError) as error:
        raise BadFileError("F407", f"its pyproject.toml: {shown(str(error))}") from None
    name, version = _identity(named)
    stem = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"
    return {
        "kind": "sdist",
        "name": name,
        "version": version,
        "filename": f"{stem}.tar.gz",
        "requires": _requires(named),
        "entry_points": {},
    }


def _headers(members: Members, name: str) -> Message:
    if name not in members.kept:
        raise BadFileError("F407", f"it has no {shown(name)}")
    return BytesParser().parsebytes(members.kept[name], headersonly=True)


def _identity(named: Message) -> tuple[str, str]:
    names, versions = named.get_all("Name", []), named.get_all("Version", [])
    if len(names) != 1 or not _NAME.fullmatch(str(names[0])):
        raise BadFileError("F407", f"its Name is {shown(names)}, expected one package's name")
    if len(versions) != 1 or len(versions[0]) > 60 or not _VERSION.fullmatch(str(versions[0])):
        raise BadFileError("F407", f"its Version is {shown(versions)}, expected such as 1.2.3")
    return str(names[0]), str(versions[0])


def _requires(named: Message) -> list[str]:
    requires = [str(value) for value in named.get_all("Requires-Dist", [])]
    if len(requires) > MAX_REQUIRES or any(len(r) > 300 or not r.isprintable() for r in requires):
        raise BadFileError("F407", f"its Requires-Dist: at most {MAX_REQUIRES}, each one line")
    return requires


def _entry_points(content: bytes) -> dict[str, str]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(content.decode())
    except (configparser.Error, ValueError) as error:
        raise BadFileError("F407", f"its entry_points.txt: {shown(str(error))}") from None
    found = dict(parser[GROUP]) if GROUP in parser else {}
    if not found:
        raise BadFileError("F408", f"it registers no filter: no entry point in the group {GROUP}")
    for name, target in found.items():
        if not _FILTER.fullmatch(name) or not _TARGET.fullmatch(target):
            raise BadFileError("F407", f"its entry point {shown(name)} = {shown(target)}")
    return found
