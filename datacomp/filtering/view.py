"""What a selector sees of a pool: the columns that its filter declared, and those of its steps.

By part (`view.parts()`), which keeps memory bounded, or over the whole pool (`view.uids`,
`view.scores`) as numpy arrays in pool order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.filtering.contract import Filter
from datacomp.filtering.spec import StepSpec
from datacomp.filtering.store import ScoreStore, Task
from datacomp.pool import Part, Pool
from datacomp.progress import Progress
from datacomp.subset import UID_DTYPE, UidArray


@dataclass(frozen=True)
class Stored:
    """The results of one step: where to find each part's."""

    store: ScoreStore
    spec: StepSpec
    tasks: Mapping[str, Task]

    def read(self, part: Part, column: str) -> pa.ChunkedArray:
        """One output column of a part."""
        return self.store.read(self.spec, self.tasks[part.name], column)


@dataclass(frozen=True)
class PartView:
    """The rows of one pool part, in pool order."""

    part: Part
    pool: Pool
    chosen: Filter
    stored: tuple[Stored, ...]

    @cached_property
    def uids(self) -> UidArray:
        """The uid of every row."""
        uids = self.pool.uids(self.part)
        if len(uids) != self.part.n_rows:
            raise FilterError(
                f"part {self.part.name} has {self.part.n_rows:,} rows, but its index holds "
                f"{len(uids):,} uids. Run: datacomp pool index {self.pool.url}"
            )
        return uids

    def column(self, name: str) -> pa.ChunkedArray:
        """One column, one value per row; `FilterError` if the filter did not declare it."""
        if name in self.chosen.columns():
            return self.pool.read(self.part, [name]).column(0)
        for step in self.stored:
            if name in step.spec.outputs:
                return step.read(self.part, name)
        declared = [*self.chosen.columns(), *(o for step in self.stored for o in step.spec.outputs)]
        raise FilterError(
            f"filter {self.chosen.name!r} reads column {name!r}, which it does not declare. "
            f"It declares: {', '.join(declared) or 'none'}"
        )

    def scores(self, name: str) -> npt.NDArray[Any]:
        """A numeric column as floats, NaN for null; stored float types stay, integers widen."""
        column = self.column(name)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise FilterError(
                f"part {self.part.name}: column {name!r} is of type {column.type}, which filter "
                f"{self.chosen.name!r} cannot use as a score; expected a number"
            )
        if pa.types.is_integer(column.type):
            column = column.cast(pa.float64())
        numbers: npt.NDArray[Any] = column.to_numpy()
        return numbers


@dataclass(frozen=True)
class View:
    """All parts of a pool, in pool order."""

    pool: Pool
    chosen: Filter
    stored: tuple[Stored, ...]
    progress: Progress
    _seen: set[str] = field(default_factory=set)

    def parts(self) -> Iterator[PartView]:
        """Part after part; what one held is free when the next comes."""
        for part in self.pool.parts:
            yield PartView(part, self.pool, self.chosen, self.stored)
            if part.name not in self._seen:
                self._seen.add(part.name)
                self.progress.advance(part.n_rows, "select")

    @cached_property
    def uids(self) -> UidArray:
        """The uid of every row: 16 bytes a row."""
        return np.concatenate([np.empty(0, UID_DTYPE), *(rows.uids for rows in self.parts())])

    def scores(self, name: str) -> npt.NDArray[Any]:
        """A numeric column of the whole pool; `FilterError` if parts differ in its type."""
        pieces = [rows.scores(name) for rows in self.parts()]
        if len(kinds := {piece.dtype.name for piece in pieces}) > 1:
            raise FilterError(
                f"column {name!r} is of type {' in some parts, '.join(sorted(kinds))} in others; "
                "write it in one type"
            )
        return np.concatenate(pieces) if pieces else np.empty(0, np.float32)
