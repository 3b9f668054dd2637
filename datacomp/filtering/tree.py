"""A filter as a tree of names and parameters: what selection files, locks and workers read.

    "no_filter"
    {"clip_score": {"fraction": 0.3}}
    {"and": ["basic_filter", {"clip_score": {"fraction": 0.3}}]}
    {"cascade": ["basic_filter", {"top_fraction": {"column": "length", "fraction": 0.5}}]}

A mapping has one key: a combination (combine.py, cascade.py, mix.py), a selector (selectors.py,
capped.py), or a registered filter. Trees are JSON values; every error says where in the tree it is.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from datacomp.errors import UnknownNameError, UsageError
from datacomp.filtering.capped import HardCap, SoftCap
from datacomp.filtering.cascade import Cascade
from datacomp.filtering.combine import And, Cap, Minus, Or
from datacomp.filtering.contract import Filter
from datacomp.filtering.mix import Mix
from datacomp.filtering.params import filter_from_params
from datacomp.filtering.registry import FILTERS, RESERVED, filter_class
from datacomp.filtering.scores import Expression, Fuse, PoolColumn, Produced
from datacomp.filtering.selectors import Band, ByScore, Threshold, TopFraction
from datacomp.filtering.spec import distinct, leaves, plugin_file, producers

Tree = str | Mapping[str, Any]
Columns = Mapping[str, Expression]

LISTS: dict[str, type[And | Or | Minus | Cascade]] = {
    kind.name: kind for kind in (And, Or, Minus, Cascade)
}
SELECTORS: dict[str, type[ByScore]] = {
    kind.name: kind for kind in (TopFraction, Threshold, Band, SoftCap, HardCap)
}

FUSIONS = ("minmax", "zscore", "rank")


def from_tree(tree: Any, columns: Columns | None = None, where: str = "select") -> Filter:
    """Build the filter that a tree describes; `columns` are the names that a file defines.

    `UsageError` naming the place in the tree for anything else.
    """
    columns = columns or {}
    name, params = _node(tree, where)
    below = f"{where}.{name}"
    if name in LISTS:
        if not isinstance(params, list):
            raise UsageError(f"{below}: expected a list of selections, got {params!r}")
        children = [from_tree(one, columns, f"{below}[{i}]") for i, one in enumerate(params)]
        return _made(below, lambda: LISTS[name](of=tuple(children)))
    if not _is_mapping(params):
        raise UsageError(f"{below}: expected parameters as a mapping, got {params!r}")
    if name == Cap.name:
        _demand(params, below, needed=("of", "max_repeats"))
        child = from_tree(params["of"], columns, f"{below}.of")
        most = _whole(params["max_repeats"], f"{below}.max_repeats")
        return _made(below, lambda: Cap(of=(child,), max_repeats=most))
    if name == Mix.name:
        return _mix(params, columns, below)
    if name in SELECTORS:
        if "column" not in params:
            raise UsageError(f"{below} needs column")
        column = expression(params["column"], columns, f"{below}.column")
        rest = {key: value for key, value in params.items() if key != "column"}
        return _made(
            below, lambda: filter_from_params(SELECTORS[name], rest, given={"column": column})
        )
    return _made(below, lambda: filter_from_params(_class(name), params))


def expression(tree: Any, columns: Columns, where: str) -> Expression:
    """Build a score expression (scores.py)."""
    if isinstance(tree, str):
        return columns.get(tree) or PoolColumn(tree)
    if not _is_mapping(tree) or ("from" in tree) == ("fuse" in tree):
        raise UsageError(
            f"{where}: expected the name of a column, or a mapping with 'from' or 'fuse', "
            f"got {tree!r}"
        )
    if "from" in tree:
        _demand(tree, where, needed=("from", "column"))
        source = from_tree(tree["from"], columns, f"{where}.from")
        for step in distinct(source.steps()):
            if tree["column"] in step.outputs().names:
                return Produced(describe(source), step, tree["column"])
        made = [name for step in distinct(source.steps()) for name in step.outputs().names]
        raise UsageError(
            f"{where}: filter {source.name!r} computes no column {tree['column']!r}. "
            f"It computes: {', '.join(made) or 'none'}"
        )
    _demand(tree, where, needed=("fuse", "of"))
    how, of = tree["fuse"], tree["of"]
    if how not in FUSIONS:
        raise UsageError(f"{where}.fuse is one of {', '.join(FUSIONS)}, got {how!r}")
    if not isinstance(of, list) or len(of) < 2:
        raise UsageError(f"{where}.of: expected a list of two parts or more, got {of!r}")
    parts = []
    for number, part in enumerate(of):
        place = f"{where}.of[{number}]"
        if not _is_mapping(part):
            raise UsageError(f"{place}: expected weight and column, got {part!r}")
        _demand(part, place, needed=("weight", "column"))
        weight = _number(part["weight"], f"{place}.weight")
        parts.append((weight, expression(part["column"], columns, f"{place}.column")))
    return Fuse(how, tuple(parts))


def describe(chosen: Filter) -> Tree:
    """A filter as a tree, for people and locks, whether its parts are registered or not."""
    return {chosen.name: chosen.params()}


def to_tree(chosen: Filter) -> Tree:
    """As `describe`; `UsageError` if a part is not registered, so that nobody could build it."""
    for leaf in leaves(chosen):
        known = leaf.name in FILTERS and filter_class(leaf.name) is type(leaf)
        if leaf.name not in SELECTORS and not known:
            raise UsageError(
                f"filter {leaf.name!r} is not registered, so other processes cannot find it. "
                "Register it, put it into a plugin file, or use one worker"
            )
    return describe(chosen)


def plugin_files(chosen: Filter) -> tuple[Path, ...]:
    """The plugin files that the filters of a tree, their steps and fits come from."""
    kinds = [type(leaf) for leaf in leaves(chosen)] + [type(one) for one in producers(chosen).order]
    files = (plugin_file(kind) for kind in kinds)
    return tuple(dict.fromkeys(file for file in files if file is not None))


def _node(tree: Any, where: str) -> tuple[str, Any]:
    if isinstance(tree, str):
        return tree, {}
    if not _is_mapping(tree) or len(tree) != 1:
        found = f"keys {', '.join(map(str, tree))}" if tree and _is_mapping(tree) else repr(tree)
        raise UsageError(
            f"{where}: expected the name of a filter, or a mapping with one key such as "
            f"'clip_score' or 'and', got {found}"
        )
    ((name, params),) = tree.items()
    return str(name), {} if params is None else params


def _mix(params: Mapping[str, Any], columns: Columns, where: str) -> Filter:
    _demand(params, where, needed=("parts",), optional=("size", "seed"))
    parts = params["parts"]
    if not isinstance(parts, list) or not all(_is_mapping(part) for part in parts):
        raise UsageError(f"{where}.parts: expected a list of mappings with 'select', got {parts!r}")
    weights = []
    for number, part in enumerate(parts):
        _demand(part, f"{where}.parts[{number}]", needed=("select",), optional=("weight",))
        if "weight" in part:
            weights.append(_number(part["weight"], f"{where}.parts[{number}].weight"))
    children = tuple(
        from_tree(part["select"], columns, f"{where}.parts[{number}].select")
        for number, part in enumerate(parts)
    )
    size = _whole(params["size"], f"{where}.size") if "size" in params else None
    seed = _whole(params.get("seed", 0), f"{where}.seed")
    return _made(
        where, lambda: Mix(of=children, weights=tuple(weights) or None, size=size, seed=seed)
    )


def _class(name: str) -> type[Filter]:
    if name not in FILTERS:
        raise UnknownNameError("filter", name, [*FILTERS, *RESERVED], "datacomp filter list")
    return filter_class(name)


def _made(where: str, make: Callable[[], Filter]) -> Filter:
    try:
        return make()
    except (UsageError, UnknownNameError) as error:
        raise UsageError(f"{where}: {error}") from error


def _demand(
    params: Mapping[str, Any], where: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> None:
    if missing := [key for key in needed if key not in params]:
        raise UsageError(f"{where} needs {', '.join(missing)}")
    if unknown := [str(key) for key in params if key not in (*needed, *optional)]:
        raise UsageError(f"{where} has no {unknown[0]!r}; it takes {', '.join(needed + optional)}")


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{where}: expected a whole number, got {value!r}")
    return value


def _number(value: Any, where: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and abs(value) <= sys.float_info.max):
        raise UsageError(f"{where}: expected a finite number, got {value!r}")
    return float(value)


def _is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)
