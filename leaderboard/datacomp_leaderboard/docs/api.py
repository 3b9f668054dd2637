"""The reference of the API, as a page: from the service's own OpenAPI document; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

_METHODS = ("get", "post", "put", "patch", "delete")
_GROUPS = {
    "boards": "Boards",
    "submissions": "Submissions",
    "verification": "Verification",
    "queue": "Queue and jobs",
    "artifacts": "Uploads and files",
    "budgets": "Budgets",
    "log": "Log of events",
    "identity": "Tokens",
    "workers": "For workers",
}
_SCHEMA_PREFIX = "#/components/schemas/"


@dataclass(frozen=True)
class Kind:
    """A type in words; `schema` names the object that it is, or is made of."""

    words: str
    schema: str | None = None


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of an object; `place` is path, query or header."""

    name: str
    place: str
    kind: Kind
    required: bool
    words: str


@dataclass(frozen=True)
class Answer:
    """What may come back: the status, when, and what is in it."""

    status: str
    words: str
    kind: Kind | None


@dataclass(frozen=True)
class Operation:
    """One method at one address; `key` is its anchor, `token` whether it takes a token."""

    key: str
    method: str
    path: str
    words: str
    token: bool
    parameters: tuple[Field, ...]
    body: Kind | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Group:
    """Operations about one thing."""

    key: str
    title: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Shape:
    """An object that goes in or comes back; `values` are those of an enumeration."""

    name: str
    words: str
    fields: tuple[Field, ...]
    values: tuple[str, ...]


@dataclass(frozen=True)
class ApiPage:
    """Every operation by group, and every object by name."""

    template: ClassVar[str] = "docs_api.html"

    title: str
    toc: tuple[tuple[str, str], ...]
    version: str
    json_url: str
    groups: tuple[Group, ...]
    shapes: tuple[Shape, ...]


def api_page(document: Mapping[str, Any], json_url: str) -> ApiPage:
    """The page of an OpenAPI 3.1 document, which lies at `json_url`."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if (told := methods.get(method)) is not None:
                tag = next(iter(told.get("tags", ())), "other")
                found.setdefault(tag, []).append(_operation(method, path, told))
    order = [*(tag for tag in _GROUPS if tag in found), *sorted(set(found) - set(_GROUPS))]
    groups = tuple(Group(t, _GROUPS.get(t, t.capitalize()), tuple(found[t])) for t in order)
    shapes = tuple(
        _shape(name, told)
        for name, told in sorted(document.get("components", {}).get("schemas", {}).items())
    )
    return ApiPage(
        title="API",
        toc=(*((group.key, group.title) for group in groups), ("objects", "Objects")),
        version=document["info"]["version"],
        json_url=json_url,
        groups=groups,
        shapes=shapes,
    )


def _operation(method: str, path: str, told: Mapping[str, Any]) -> Operation:
    return Operation(
        key=told.get("operationId", f"{method}-{path}"),
        method=method.upper(),
        path=path,
        words=told.get("description") or told.get("summary", ""),
        token=bool(told.get("security")),
        parameters=tuple(_parameter(one) for one in told.get("parameters", ())),
        body=_content(told.get("requestBody")),
        answers=tuple(
            Answer(status, one.get("description", ""), _content(one))
            for status, one in sorted(told["responses"].items())
        ),
    )


def _parameter(told: Mapping[str, Any]) -> Field:
    return Field(
        name=told["name"],
        place=told["in"],
        kind=kind_of(told.get("schema", {})),
        required=told.get("required", False),
        words=told.get("description", ""),
    )


def _shape(name: str, told: Mapping[str, Any]) -> Shape:
    required = told.get("required", ())
    return Shape(
        name=name,
        words=told.get("description", ""),
        fields=tuple(
            Field(key, "", kind_of(one), key in required, one.get("description", ""))
            for key, one in told.get("properties", {}).items()
        ),
        values=tuple(str(value) for value in told.get("enum", ())),
    )


def _content(told: Mapping[str, Any] | None) -> Kind | None:
    """What a body holds; of several media types the first."""
    for media_type, one in (told or {}).get("content", {}).items():
        if media_type == "application/json":
            return kind_of(one.get("schema", {}))
        return Kind(media_type)
    return None


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """A JSON schema in words: `integer, 1 to 100, default 20`, `list of FileOut`."""
    if (reference := schema.get("$ref")) is not None:
        name = reference.removeprefix(_SCHEMA_PREFIX)
        return Kind(name, name)
    if (options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")) is not None:
        return _one_of([kind_of(option) for option in options], schema)
    if "const" in schema:
        return Kind(repr(schema["const"]))
    if "enum" in schema:
        return Kind(" | ".join(map(repr, schema["enum"])) + _default(schema))
    if schema.get("type") == "array":
        inner = kind_of(schema.get("items") or {})
        return Kind(f"list of {inner.words}", inner.schema)
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        inner = kind_of(values)
        return Kind(f"{inner.words} by name", inner.schema)
    words = schema.get("format") or schema.get("contentMediaType") or schema.get("type") or "any"
    return Kind(", ".join([words, *_limits(schema)]) + _default(schema))


def _one_of(kinds: list[Kind], schema: Mapping[str, Any]) -> Kind:
    words = " or ".join(kind.words for kind in kinds) + _default(schema)
    return Kind(words, next((kind.schema for kind in kinds if kind.schema), None))


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            yield f"{least:,} to {most:,}{unit}" if least != most else f"{most:,}{unit}"
        elif most is not None:
            yield f"at most {most:,}{unit}"
        elif least is not None:
            yield f"at least {least:,}{unit}"


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, []) else f", default {default!r}"
