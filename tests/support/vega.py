"""Reading a Vega-Lite specification that altair made: its layers and their rows."""

from collections.abc import Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]


def layers(spec: Spec, mark: str) -> list[Spec]:
    """The layers of a kind of mark, from the lowest to the highest."""
    return [one for one in _walk(spec) if one["mark"]["type"] == mark]


def rows(spec: Spec, layer: Spec) -> list[dict[str, Any]]:
    """What a layer draws."""
    source = layer.get("data", spec.get("data"))
    return spec["datasets"][source["name"]]


def texts(spec: Spec) -> list[str]:
    """Every label that is drawn."""
    found = []
    for layer in layers(spec, "text"):
        field = layer["encoding"]["text"]["field"]
        found += [row[field] for row in rows(spec, layer)]
    return found


def _walk(spec: Spec) -> Iterator[Spec]:
    if "mark" in spec:
        yield spec
    for inner in spec.get("layer", ()):
        yield from _walk(inner)
