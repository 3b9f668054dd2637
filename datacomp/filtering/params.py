"""Parameters of a filter, from `key=value` words or from JSON, checked against its fields."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

from datacomp.errors import UsageError
from datacomp.filtering.contract import Filter, fields


def filter_from_words(kind: type[Filter], words: Sequence[str]) -> Filter:
    """Build a filter from `key=value` words; `UsageError` naming the known parameters."""
    values: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is not of the form parameter=value. {_signature(kind)}")
        if key in values:
            raise UsageError(f"parameter {key!r} is given twice")
        values[key] = value
    return _build(kind, values, text=True)


def filter_from_params(
    kind: type[Filter], params: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> Filter:
    """Build a filter from JSON values, such as those of a lock file; `given` ones are as they are.

    `UsageError` naming the known parameters.
    """
    return _build(kind, params, text=False, given=given)


def describe_fields(kind: type[Filter]) -> dict[str, str]:
    """Each parameter with its type and default, such as `float | None = None`."""
    hints = get_type_hints(kind)
    described = {}
    for field in fields(kind):
        required = field.default is dataclasses.MISSING
        default = "" if required else f" = {field.default!r}"
        described[field.name] = _type_name(hints[field.name]) + default
    return described


def _build(
    kind: type[Filter],
    values: Mapping[str, Any],
    *,
    text: bool,
    given: Mapping[str, Any] | None = None,
) -> Filter:
    given = given or {}
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    if unknown := [name for name in values if name not in known]:
        raise UsageError(
            f"filter {kind.name!r} has no parameter {unknown[0]!r}. {_signature(kind)}"
        )
    missing = [
        name
        for name, field in known.items()
        if name not in values and name not in given and field.default is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"filter {kind.name!r} needs {', '.join(missing)}. {_signature(kind)}")
    converted = {}
    for name, value in values.items():
        adapter: TypeAdapter[Any] = TypeAdapter(hints[name])
        try:
            _demand_no_bool(value, hints[name])
            converted[name] = (adapter.validate_strings if text else adapter.validate_python)(value)
        except ValueError:
            raise UsageError(
                f"{name}={value} of filter {kind.name!r} is not {_type_name(hints[name])}"
            ) from None
    return kind(**converted, **given)


def _demand_no_bool(value: Any, hint: Any) -> None:
    """Pydantic takes true for the number 1."""
    if isinstance(value, bool) and bool not in (hint, *get_args(hint)):
        raise ValueError


def _signature(kind: type[Filter]) -> str:
    listing = "; ".join(f"{name}: {hint}" for name, hint in describe_fields(kind).items())
    return f"It takes {listing}" if listing else "It takes no parameters"


def _type_name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " | ".join(repr(value) for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(_type_name(option) for option in get_args(hint))
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
