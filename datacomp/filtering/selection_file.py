"""Selection files: a subset's recipe as YAML that a person can read, and its lock that rebuilds it.

    columns:                                    # names for scores, optional
      both: {fuse: minmax, of: [
        {weight: 0.5, column: clip_l14_similarity_score},
        {weight: 0.5, column: {from: quiet, column: capitals}}]}
    select:
      cascade:
        - basic_filter
        - top_fraction: {column: both, fraction: 0.3}

tree.py says what may stand under `select`, scores.py what under `columns`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from datacomp.errors import UnknownNameError, UsageError
from datacomp.filtering.contract import Filter
from datacomp.filtering.tree import Columns, expression, from_tree

LOCK_SUFFIX = ".lock.json"


def is_selection(name: str) -> bool:
    """Whether what a user named is a selection file or a lock, not a filter."""
    return name.endswith((".yaml", ".yml", LOCK_SUFFIX))


def read_selection(path: Path) -> Filter:
    """The filter that a selection file or a lock describes; `UsageError` naming file and place."""
    if not path.is_file():
        raise UsageError(f"no selection file {path}")
    try:
        return _read(path)
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply, or a part of it contains itself") from None


def locked_sha256(path: Path) -> str | None:
    """The hash that a lock promises for its subset; None for a selection file."""
    return str(_locked(path)["sha256"]) if path.name.endswith(LOCK_SUFFIX) else None


def _read(path: Path) -> Filter:
    if path.name.endswith(LOCK_SUFFIX):
        return _from_lock(path)
    try:
        # A SafeLoader, whatever the linter thinks of its name.
        content = yaml.load(path.read_text(encoding="utf-8"), _NoDoubles)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict) or "select" not in content:
        raise UsageError(f"{path}: expected a mapping with 'select', and perhaps 'columns'")
    if unknown := [str(key) for key in content if key not in ("select", "columns")]:
        raise UsageError(f"{path} has no section {unknown[0]!r}; it takes select, columns")
    columns = _columns(content.get("columns") or {}, str(path))
    return from_tree(content["select"], columns, f"{path}: select")


def _from_lock(path: Path) -> Filter:
    lock = _locked(path)
    try:
        return from_tree(lock["selection"], where=f"{path}: selection")
    except UsageError as error:
        if not (isinstance(error.__cause__, UnknownNameError) and lock.get("plugins")):
            raise
        plugins = ", ".join(lock["plugins"])
        raise UsageError(f"{error}. It was made with plugins: {plugins}; see --plugin") from error


def _columns(section: Any, file: str) -> Columns:
    if not isinstance(section, Mapping):
        raise UsageError(f"{file}: columns: expected a mapping of names, got {section!r}")
    columns: dict[str, Any] = {}
    names = [str(name) for name in section]
    for number, (name, tree) in enumerate(section.items()):
        # A column may use those above it.
        made = expression(tree, columns, f"{file}: columns.{name}")
        if below := [used for used in made.columns() if used in names[number + 1 :]]:
            raise UsageError(
                f"{file}: columns.{name} uses {below[0]!r}, which stands below it. Move that up, "
                "or, if the pool's column is meant, give the other another name"
            )
        columns[names[number]] = made
    return columns


def _locked(path: Path) -> dict[str, Any]:
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(lock, dict) or not {"selection", "sha256"} <= lock.keys():
        operation = lock.get("operation") if isinstance(lock, dict) else None
        if operation == "filter":
            raise UsageError(f"{path} lacks its selection or its sha256: it was edited")
        raise UsageError(
            f"{path} is the lock of {operation or 'something'}, which is not a filter run, so that "
            "it cannot be run again"
        )
    return lock


class _NoDoubles(yaml.SafeLoader):
    """YAML where a key twice in one mapping is an error, not the second value."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        # Before "<<" merges other mappings in: what stands here goes before what they hold.
        keys = [(key.tag, key.value) for key, _ in node.value]
        for key, _ in node.value:
            if keys.count((key.tag, key.value)) > 1:
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key.value!r} stands here twice", key.start_mark
                )
        return node
