"""The methods that come with the software, as a page: a list that is committed, and read here.

    python -m datacomp_leaderboard.docs.methods

writes it anew from the registry of filters. The service reads the list and never the registry,
which would run the packages that are installed beside it.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

LIST = Path(str(resources.files("datacomp_leaderboard") / "data" / "methods.json"))
_ARXIV = re.compile(r"\d{4}\.\d{4,5}")
_OWN = "datacomp "
_KINDS = {
    "select": "cuts by columns that the pool carries",
    "row": "computes from captions or stored embeddings, row by row",
    "image": "computes from the pictures",
    "pool": "compares rows with others",
    "fit": "learns or counts something first",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method: its type, and its default as it is written; None if it has none."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True)
class Method:
    """One method. `needs` are columns and features of a pool; `eval_related` is what it says of
    data that are related to the evaluation's: `none`, or what they are.
    """

    name: str
    summary: str
    kind: str
    reference: str
    needs: tuple[str, ...]
    fits: tuple[str, ...]
    eval_related: str
    example: str
    parameters: tuple[Parameter, ...] = field(default_factory=tuple)

    @property
    def papers(self) -> tuple[tuple[str, str], ...]:
        """(number, address) of every paper that the reference names."""
        found = _ARXIV.findall(self.reference)
        return tuple((number, f"https://arxiv.org/abs/{number}") for number in found)

    @property
    def kind_in_words(self) -> str:
        """What it does to a pool, as a phrase."""
        return ", ".join(_KINDS.get(part, part) for part in self.kind.split(" + "))


@dataclass(frozen=True)
class MethodsPage:
    """Every method that comes with the software, by name."""

    template: ClassVar[str] = "docs_methods.html"

    title: str
    toc: tuple[tuple[str, str], ...]
    methods: tuple[Method, ...]


def methods_page() -> MethodsPage:
    """The page, from the committed list."""
    found = known_methods()
    return MethodsPage("Methods", tuple((one.name, one.name) for one in found), found)


@cache
def known_methods() -> tuple[Method, ...]:
    """The methods of the committed list."""
    return tuple(_read(one) for one in json.loads(LIST.read_text()))


def list_text(rows: Iterable[Any]) -> str:
    """The list as text, from the rows of `datacomp.filtering.catalogue`: our own methods alone."""
    own = [row for row in rows if row.origin.startswith(_OWN)]
    return json.dumps([asdict(_method(row)) for row in own], indent=1) + "\n"


def _method(row: Any) -> Method:
    return Method(
        name=row.name,
        summary=row.summary,
        kind=row.kind,
        reference=row.reference,
        needs=tuple(row.needs),
        fits=tuple(dict.fromkeys(name for name, _ in row.fits)),
        eval_related=row.uses_eval_related_data,
        example=row.example,
        parameters=tuple(_parameter(name, told) for name, told in (row.params or {}).items()),
    )


def _read(value: dict[str, Any]) -> Method:
    value["parameters"] = [Parameter(**one) for one in value["parameters"]]
    for name in ("needs", "fits", "parameters"):
        value[name] = tuple(value[name])
    return Method(**value)


def _parameter(name: str, told: str) -> Parameter:
    kind, equals, default = told.partition(" = ")
    return Parameter(name, kind, default if equals else None)


if __name__ == "__main__":
    from datacomp.filtering.catalogue import catalogue

    LIST.write_text(list_text(catalogue()))
