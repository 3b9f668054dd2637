"""What filters there are, for people who choose one; a broken package does not hide the others.

`kind` is what a filter needs computed, read off the steps and fits that it builds on:

    select   nothing: it cuts by columns that the pool carries
    row      columns from captions or stored embeddings, row by row
    image    columns from the pictures themselves
    pool     columns whose rows depend on the other rows
    + fit    something is learnt or counted first: centroids, weights, word lists
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from datacomp.errors import DatacompError
from datacomp.filtering.contract import Filter, Fit, ImageStep, PoolStep, Step
from datacomp.filtering.params import describe_fields, filter_from_words
from datacomp.filtering.registry import FILTERS, filter_class
from datacomp.filtering.spec import producers

ROWS = 1_000_000
"""The rows that a cost is told for."""


@dataclass(frozen=True)
class CatalogueRow:
    """A filter by name, as its `example` makes it, and what is wrong if that cannot be made.

    `needs` are pool columns and features that it reads, itself or by what it builds on.
    `seconds` is the guess of its steps for one worker and `ROWS` rows; `fits` names what is learnt
    first, with what that takes.
    """

    name: str
    summary: str = ""
    kind: str = ""
    seconds: float = 0.0
    fits: tuple[tuple[str, str], ...] = ()
    reference: str = ""
    needs: tuple[str, ...] = ()
    uses_eval_related_data: str = "none"
    params: dict[str, str] | None = None
    example: str = ""
    origin: str = ""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What `datacomp filter list --json` prints."""
        facts = asdict(self)
        facts["worker_seconds_per_million_rows"] = round(facts.pop("seconds"), 1)
        return {**facts, "fits": [{"name": name, "cost": cost} for name, cost in self.fits]}


def catalogue() -> tuple[CatalogueRow, ...]:
    """All registered filters by name."""
    return tuple(_row(name) for name in FILTERS)


def _row(name: str) -> CatalogueRow:
    row = CatalogueRow(name)
    try:
        kind = filter_class(name)
        row = replace(
            row,
            summary=kind.summary,
            reference=kind.reference,
            params=describe_fields(kind),
            example=kind.example,
            origin=FILTERS.origin(name),
        )
        return replace(row, **_facts(filter_from_words(kind, kind.example.split())))
    except DatacompError as error:
        # Its example may name what is not on this machine; the rest of the row stands.
        told = f"{kind.example}: {error}" if row.origin else f"broken: {error}"
        return replace(row, error=told)
    except Exception as error:
        # Somebody else's package: whatever it raises belongs into its own row.
        return replace(row, error=f"broken: {type(error).__name__}: {error}")


def _facts(chosen: Filter) -> dict[str, Any]:
    made = producers(chosen)
    columns = [*chosen.columns(), *(c for one in made.order for c in one.columns())]
    features = [key for one in made.order for key in one.features]
    return {
        "kind": _kind(made.steps, made.fits),
        "seconds": sum(ROWS / step.rows_per_second for step in made.steps),
        "fits": tuple((fit.name, fit.cost) for fit in made.fits),
        "needs": tuple(dict.fromkeys([*columns, *features])),
        "uses_eval_related_data": chosen.uses_eval_related_data,
    }


def _kind(steps: Sequence[Step], fits: Sequence[Fit]) -> str:
    """The costliest sort of its steps, and whether it fits anything."""
    sorts: tuple[tuple[str, type], ...] = (("image", ImageStep), ("pool", PoolStep))
    found = [sort for sort, kind in sorts if any(isinstance(step, kind) for step in steps)]
    if not found and steps:
        found = ["row"]
    return " + ".join([*found, *(["fit"] if fits else [])]) or "select"
