"""The service's operations by their ids, read from its own description beside this file.

    operation("get_submission").fill({"submission_id": "01J..."})

The description, openapi.json, is written by `python -m datacomp_server.openapi`, and a test holds
it equal to the service's. A name that is not in it is a defect of the caller.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


@dataclass(frozen=True)
class Filled:
    """A request but for its body: `path` is quoted."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Operation:
    """One thing that the service does. `places` says where each parameter goes.

    Parameters have Python's names: the header Upload-Offset is `upload_offset`.
    """

    id: str
    method: str
    path: str
    places: Mapping[str, tuple[str, str]]
    required: frozenset[str]

    def fill(self, parameters: Mapping[str, Any]) -> Filled:
        """The request with these parameters, None being none; `TypeError` if they do not fit."""
        given = {name: value for name, value in parameters.items() if value is not None}
        wrong = given.keys() - self.places.keys()
        missing = self.required - given.keys()
        if wrong or missing:
            raise TypeError(
                f"operation {self.id} takes {sorted(self.places)}, of which it needs "
                f"{sorted(self.required)}; got {sorted(given)}"
            )
        parts: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
        for name, value in given.items():
            where, wire_name = self.places[name]
            parts[where][wire_name] = _text(value)
        path = self.path
        for name, text in parts["path"].items():
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
        return Filled(self.method, path, parts["query"], parts["header"])


def operation(name: str) -> Operation:
    """The operation of that id; `LookupError` if this client's service has none."""
    try:
        return _operations()[name]
    except KeyError:
        raise LookupError(
            f"no operation is called {name!r}; there are: {', '.join(sorted(_operations()))}"
        ) from None


@cache
def _operations() -> dict[str, Operation]:
    described = json.loads(files("datacomp.client").joinpath("openapi.json").read_text())
    found = [
        _operation(method, path, item)
        for path, methods in described["paths"].items()
        for method, item in methods.items()
        if method in _METHODS
    ]
    return {one.id: one for one in found}


def _operation(method: str, path: str, item: Mapping[str, Any]) -> Operation:
    parameters = item.get("parameters", ())
    return Operation(
        id=item["operationId"],
        method=method.upper(),
        path=path,
        places={_python_name(p["name"]): (p["in"], p["name"]) for p in parameters},
        required=frozenset(_python_name(p["name"]) for p in parameters if p.get("required")),
    )


def _python_name(name: str) -> str:
    return name.lower().replace("-", "_")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
