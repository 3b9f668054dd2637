"""What filters there are, for people who choose one; a broken package does not hide the others."""

from dataclasses import asdict, dataclass
from typing import Any

from datacomp.filtering.params import describe_fields, filter_from_words
from datacomp.filtering.registry import FILTERS, filter_class


@dataclass(frozen=True)
class CatalogueRow:
    """A filter by name; `needs` are columns and features of its `example`; or what is wrong."""

    name: str
    summary: str
    kind: str
    needs: tuple[str, ...]
    params: dict[str, str]
    example: str
    origin: str
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter list --json` prints."""
        return asdict(self)


def catalogue() -> tuple[CatalogueRow, ...]:
    """All registered filters by name. `kind` is `select`, or `compute` if it has steps."""
    return tuple(_row(name) for name in FILTERS)


def _row(name: str) -> CatalogueRow:
    try:
        kind = filter_class(name)
        chosen = filter_from_words(kind, kind.example.split())
        steps = chosen.steps()
        columns = [*chosen.columns(), *(c for step in steps for c in step.columns())]
        needs = tuple(dict.fromkeys([*columns, *(k for step in steps for k in step.features)]))
        return CatalogueRow(
            name=name,
            summary=kind.summary,
            kind="compute" if steps else "select",
            needs=needs,
            params=describe_fields(kind),
            example=kind.example,
            origin=FILTERS.origin(name),
        )
    except Exception as error:
        # Somebody else's package: whatever it raises belongs into its own row.
        problem = f"broken: {type(error).__name__}: {error}"
        return CatalogueRow(name, "", "", (), {}, "", "", problem)
