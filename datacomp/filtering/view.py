"""What a filter, fit or pool step sees of a pool: the columns that it declared, and its steps'.

Part after part (`view.parts()`), as often as it likes; memory holds one part's columns at a time.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.filtering.contract import Arrays, Filter, Fit, PoolStep, Step
from datacomp.filtering.spec import StepSpec, distinct, identity
from datacomp.filtering.store import ScoreStore, Task
from datacomp.pool import Part, Pool
from datacomp.subset import UidArray
from datacomp.subset.cuts import Cut, Scores, find_cut, nth_highest

PARTS_AHEAD = 2

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stored:
    """The results of one step: where to find each part's."""

    spec: StepSpec
    tasks: Mapping[str, Task]


@dataclass(frozen=True)
class Reads:
    """What somebody declares to read; `who` is for messages."""

    who: str
    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    features: tuple[str, ...]
    fits: tuple[Fit, ...]

    @classmethod
    def by_filter(cls, chosen: Filter) -> "Reads":
        """What `select` may read; no features, which are for steps."""
        return cls(f"filter {chosen.name!r}", chosen.columns(), chosen.steps(), (), chosen.fits())

    @classmethod
    def by_producer(cls, producer: PoolStep | Fit) -> "Reads":
        """What a fit or pool step may read."""
        kind = "fit" if isinstance(producer, Fit) else "step"
        return cls(
            f"{kind} {producer.name!r}",
            producer.columns(),
            producer.inputs(),
            producer.features,
            producer.fits(),
        )


@dataclass
class Source:
    """Pool and store, by part; keeps what was read of the last part, for whoever asks next.

    `steps` go by `identity`, `fits` from there to the key under which they are stored. While one
    part is looked at, `threads` read the uids of the next ones: they are most of the work of a
    cheap selector.
    """

    pool: Pool
    store: ScoreStore
    steps: Mapping[str, Stored]
    fits: Mapping[str, str]
    threads: Executor
    _part: Part | None = None
    _read: dict[str, Any] = field(default_factory=dict)
    _ahead: "dict[Part, Future[UidArray]]" = field(default_factory=dict)

    def uids(self, part: Part) -> UidArray:
        """The uid of every row."""
        uids: UidArray = self._once(part, "uids", lambda: self._uids_and_next(part))
        if len(uids) != part.n_rows:
            raise FilterError(
                f"part {part.name} has {part.n_rows:,} rows, but its index holds "
                f"{len(uids):,} uids. Run: datacomp pool index {self.pool.url}"
            )
        return uids

    def column(self, part: Part, name: str) -> pa.ChunkedArray:
        """A pool column."""
        return self._once(part, f"pool {name}", lambda: self.pool.read(part, [name]).column(0))

    def produced(self, part: Part, step: Step, name: str) -> pa.ChunkedArray:
        """A column that a step produced."""
        key = identity(step)
        stored = self.steps[key]
        return self._once(
            part,
            f"{key} {name}",
            lambda: self.store.read(stored.spec, stored.tasks[part.name], name),
        )

    def feature(self, part: Part, key: str) -> npt.NDArray[Any]:
        """An array of the part's npz file, a row each."""
        array: npt.NDArray[Any] = self._once(
            part, f"feature {key}", lambda: self.pool.features(part, key)
        )
        return array

    def arrays(self, fit: Fit) -> Arrays:
        """What a fit computed."""
        arrays = self.store.read_fit(fit.name, self.fits[identity(fit)])
        if arrays is None:
            raise FilterError(f"the arrays of fit {fit.name!r} are gone. Run again.")
        return arrays

    def _uids_and_next(self, part: Part) -> UidArray:
        place = self.pool.parts.index(part)
        following = self.pool.parts[place + 1 : place + 1 + PARTS_AHEAD]
        ready = self._ahead.pop(part, None)
        self._ahead = {
            other: self._ahead.get(other) or self.threads.submit(self.pool.uids, other)
            for other in following
        }
        return ready.result() if ready else self.pool.uids(part)

    def _once(self, part: Part, key: str, read: Callable[[], Any]) -> Any:
        if part is not self._part:
            self._part, self._read = part, {}
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]


@dataclass(frozen=True)
class PartView:
    """The rows of one pool part, in pool order; or those of them that `only` (a mask) leaves."""

    part: Part
    source: Source
    reads: Reads
    only: Mask | None = None

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.part.n_rows if self.only is None else int(np.count_nonzero(self.only))

    @property
    def uids(self) -> UidArray:
        """The uid of every row."""
        uids = self.source.uids(self.part)
        return uids if self.only is None else uids[self.only]

    def column(self, name: str) -> pa.ChunkedArray:
        """One column, one value per row; `FilterError` if it was not declared."""
        if name in self.reads.columns:
            return self._left(self.source.column(self.part, name))
        steps = distinct(self.reads.steps)
        for step in steps:
            if name in step.outputs().names:
                return self._left(self.source.produced(self.part, step, name))
        produced = [out for step in steps for out in step.outputs().names]
        raise FilterError(
            f"{self.reads.who} reads column {name!r}, which it does not declare. "
            f"It declares: {', '.join([*self.reads.columns, *produced]) or 'none'}"
        )

    def feature(self, key: str) -> npt.NDArray[Any]:
        """One array of the pool's features: (n, d), as stored; `FilterError` if not declared."""
        if key not in self.reads.features:
            raise FilterError(
                f"{self.reads.who} reads feature {key!r}, which it does not declare. "
                f"It declares: {', '.join(self.reads.features) or 'none'}"
            )
        array = self.source.feature(self.part, key)
        return array if self.only is None else array[self.only]

    def scores(self, name: str) -> Scores:
        """A numeric column as floats, NaN for null; stored float types stay, integers widen."""
        return self._numbers(self.column(name), name)

    def produced_scores(self, step: Step, name: str) -> Scores:
        """As `scores`, of the output `name` of one of the filter's steps."""
        return self._numbers(self._left(self.source.produced(self.part, step, name)), name)

    def _numbers(self, column: pa.ChunkedArray, name: str) -> Scores:
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise FilterError(
                f"part {self.part.name}: column {name!r} is of type {column.type}, which "
                f"{self.reads.who} cannot use as a score; expected a number"
            )
        if pa.types.is_integer(column.type):
            column = column.cast(pa.float64(), safe=False)
        numbers: Scores = column.to_numpy()
        return numbers

    def _left(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        return column if self.only is None else column.filter(pa.array(self.only))


@dataclass(frozen=True)
class View:
    """A pool as one filter, fit or pool step sees it, in pool order.

    `only` gives the mask of the rows that an earlier filter of a cascade left, by part number.
    """

    source: Source
    reads: Reads
    only: Callable[[int], Mask] | None = None

    @property
    def pool(self) -> Pool:
        """The pool."""
        return self.source.pool

    def parts(self) -> Iterator[PartView]:
        """Part after part; what one held is free when the next comes."""
        for number, part in enumerate(self.pool.parts):
            only = self.only(number) if self.only else None
            yield PartView(part, self.source, self.reads, only)

    @property
    def n_rows(self) -> int:
        """Rows of all parts."""
        if self.only is None:
            return self.pool.n_rows
        return sum(rows.n_rows for rows in self.parts())

    def arrays(self, fit: Fit) -> Arrays:
        """What a fit computed; `FilterError` if it was not declared."""
        if fit not in self.reads.fits:
            raise FilterError(f"{self.reads.who} reads fit {fit.name!r}, which it does not declare")
        return self.source.arrays(fit)

    def cut(self, scores: Callable[[PartView], Scores], n: int) -> Cut:
        """The cut that keeps exactly the `n` highest `scores`, ties going to the lower uid.

        Ask it part by part, in order: `cut.keeps(scores(rows), lambda: rows.uids)`. Reads the
        parts a few times, in bounded memory; a row without a score (NaN) is never kept.
        """
        return find_cut(
            lambda: ((found, partial(_uids, rows)) for rows, found in self._scored(scores)), n
        )

    def nth_highest(self, scores: Callable[[PartView], Scores], n: int) -> Any:
        """The score at place `n` (from 0) in descending order, NaN last; in the scores' dtype."""
        return nth_highest(lambda: (found for _, found in self._scored(scores)), n)

    def _scored(self, scores: Callable[[PartView], Scores]) -> Iterator[tuple[PartView, Scores]]:
        """Every part with its scores, which must be of one type."""
        kind = None
        for rows in self.parts():
            found = scores(rows)
            kind = found.dtype if kind is None else kind
            if found.dtype != kind:
                raise FilterError(
                    f"{self.reads.who} reads scores of type {kind} in some parts, "
                    f"{found.dtype} in part {rows.part.name}; write them in one type"
                )
            yield rows, found

    def whole(self) -> "View":
        """The same without what an earlier filter of a cascade took away."""
        return View(self.source, self.reads)

    def of(self, child: Filter, only: Callable[[int], Mask] | None = None) -> "View":
        """The same pool as one of the filters that this one combines sees it."""
        return View(self.source, Reads.by_filter(child), only or self.only)


def _uids(rows: PartView) -> UidArray:
    return rows.uids
