"""F5xx: a selection is a small YAML file of plain values; a lock belongs to its subset.

F501 too large, or not UTF-8   F502 not YAML, or more of YAML than plain values
F503 not a mapping with `select`, and perhaps `columns`        F504 nested too deeply or too many
F511 a lock that is not of this subset, or nested too deeply

What the names in it mean, only the plugin's filters can say: the worker asks them in its sandbox.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from datacomp.reports import Finding
from datacomp.submission.checked import BadFileError, Checked, refused, shown
from datacomp.subset.blocks import SubsetFacts

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_NODES = 5_000
SECTIONS = {"select", "columns"}
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}


def check_selection(path: Path) -> Checked:
    """Check a selection file: plain values, each key once, no anchors, no tags. No facts."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        root = _compose(_text(content))
        keys = _keys(root)
    except BadFileError as error:
        return refused([error.finding])
    if "select" not in keys or not keys <= SECTIONS:
        found = ", ".join(map(shown, sorted(keys))) or "nothing"
        return refused([Finding("F503", None, f"expected select, perhaps columns; got {found}")])
    return Checked()


def check_lock(lock: Mapping[str, Any], facts: SubsetFacts) -> list[Finding]:
    """Whether a lock, read from JSON, is that of a subset with these facts: F511."""
    return [
        Finding("F511", None, f"the lock's {name} is {shown(lock.get(name))}, expected {value}")
        for name, value in vars(facts).items()
        if lock.get(name) != value
    ]


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise BadFileError("F501", f"a selection has at most {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFileError("F501", f"the file is not UTF-8: byte {error.start}") from None


def _compose(text: str) -> yaml.Node:
    try:
        for event in _bounded(text):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise BadFileError("F502", "anchors and aliases are not read: write it out")
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadFileError("F502", f"the file is not YAML: {shown(str(error), 200)}") from None
    if root is None:
        raise BadFileError("F503", "the file is empty")
    return root


def _bounded(text: str) -> Iterator[yaml.Event]:
    depth = 0
    for n, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        depth += isinstance(event, _STARTS) - isinstance(event, _ENDS)
        if depth > MAX_DEPTH or n > MAX_NODES:
            raise BadFileError("F504", f"at most {MAX_NODES:,} parts, nested {MAX_DEPTH} deep")
        yield event


def _keys(root: yaml.Node) -> set[str]:
    if not isinstance(root, yaml.MappingNode):
        raise BadFileError("F503", "expected a mapping with select, and perhaps columns")
    waiting: list[yaml.Node] = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode):
            if node.tag not in _PLAIN_TAGS:
                raise BadFileError(
                    "F502", f"{shown(node.value)} is {shown(node.tag)}, no plain value"
                )
        elif isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            waiting += node.value
        elif isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            _demand_keys(node)
            waiting += [value for _, value in node.value]
        else:
            raise BadFileError("F502", f"the tag {shown(node.tag)} is not read")
    return {key.value for key, _ in root.value}


def _demand_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise BadFileError("F502", f"{shown(key.value)} is no key: expected a name")
        if key.value in seen:
            raise BadFileError("F502", f"the key {shown(key.value)} stands there twice")
        seen.add(key.value)
