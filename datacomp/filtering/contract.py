"""What a filter is: a frozen dataclass of parameters, made of steps, that selects rows of a pool.

A method is an expensive producer of columns and a cheap selector of rows. A `RowStep` turns record
batches of columns into new columns; an `ImageStep` sees the pictures too; a `PoolStep` sees all
rows at once; a `Fit` turns assets and columns into arrays, as a training does. Each may build on
others: on columns of steps, and on what fits have learnt. What they make is stored once. A `Filter`
names its steps and selects from pool columns and stored ones; thresholds and fractions live in the
filter alone, so that trying another costs nothing. None of them opens files of the pool, picks a
device, or prints.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy.typing as npt
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.files import sha256_file
from datacomp.filtering.selection import Selection

if TYPE_CHECKING:
    from PIL.Image import Image

    from datacomp.filtering.scores import Expression
    from datacomp.filtering.view import View

RowFunction = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Columns in, columns out, the same number of rows in the same order; null where it failed."""

ImageFunction = Callable[[pa.RecordBatch, "Sequence[Image | None]"], pa.RecordBatch]
"""As `RowFunction`, with an RGB picture a row; None where the pool has none, or a broken one."""


@dataclass(frozen=True)
class Asset:
    """A file that a step computes with; its content, not its place, is part of the result's key."""

    name: str
    path: Path

    def sha256(self) -> str:
        """Hex sha256 of the file; `FilterError` saying how to get it if it is not there."""
        if not self.path.is_file():
            raise FilterError(f"asset {self.name!r} is not at {self.path}; give another path")
        return sha256_file(self.path)


Arrays = Mapping[str, npt.NDArray[Any]]


def _no_arrays(fit: "Fit") -> Arrays:
    raise FilterError(f"nothing was computed for fit {fit.name!r}")


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where a step is opened: the device, "cpu" or "cuda", and what the step's fits computed."""

    device: str = "cpu"
    arrays: Callable[["Fit"], Arrays] = _no_arrays


@dataclass(frozen=True, kw_only=True)
class Bench(Host):
    """Where a fit or a pool step works.

    What lies in `folder` stays: a fit that was stopped finds its checkpoints there, and no other
    fit does. `tell` shows a short line beside the progress bar.
    """

    folder: Path
    tell: Callable[[str], None]


class _Producer(ABC):
    name: ClassVar[str]
    version: ClassVar[int] = 1
    features: ClassVar[tuple[str, ...]] = ()
    """Arrays of the pool's npz files that it reads."""
    _finds_by_name: ClassVar[bool] = True
    """Whether it finds columns by their names alone, which therefore differ."""

    def columns(self) -> tuple[str, ...]:
        """Pool columns that it reads."""
        return ()

    def inputs(self) -> tuple["Step", ...]:
        """Steps whose columns it reads as well."""
        return ()

    def fits(self) -> tuple["Fit", ...]:
        """Fits whose arrays it computes with."""
        return ()

    def assets(self) -> tuple[Asset, ...]:
        """Files that it computes with."""
        return ()


class _Step(_Producer):
    device: ClassVar[Literal["cpu", "gpu", "either"]] = "cpu"
    tolerance: ClassVar[float] = 0.0
    """How far floats may move when rows come in other batches (models); for the conformance kit."""
    rows_per_second: ClassVar[float]
    """A guess for one worker, used for the estimate until this machine has measured it."""

    @abstractmethod
    def outputs(self) -> pa.Schema:
        """The columns that it produces."""


class RowStep(_Step):
    """An expensive producer of columns, row by row; subclasses are frozen dataclasses.

    A batch holds its columns, those of its inputs, and each of `features` as lists. Every field is
    part of the key under which results are stored, unless made by `runtime_field`. Raise `version`
    when results would change.
    """

    @abstractmethod
    def open(self, host: Host) -> RowFunction:
        """Load what is heavy, once per worker, onto the host's device; return what computes."""


class ImageStep(_Step):
    """A producer that sees the pictures; all of a part's image steps share one decoding of them.

    Else as `RowStep`. What it answers for a row without a picture must be null.
    """

    @abstractmethod
    def open(self, host: Host) -> ImageFunction:
        """Load what is heavy, once per worker, onto the host's device; return what computes."""


class PoolStep(_Step):
    """A producer of columns whose rows depend on other rows: it sees the whole pool.

    Runs in one process, and again as a whole when anything that it reads has changed. Else as
    `RowStep`.
    """

    @abstractmethod
    def compute(self, view: "View", bench: Bench) -> Iterable[pa.RecordBatch]:
        """A batch for every part, in the order of `view.parts()`, which it may walk as it likes."""


Step = RowStep | ImageStep | PoolStep


class Fit(_Producer):
    """From assets and columns to arrays, computed once and stored by content; a frozen dataclass.

    Without columns, inputs, features and pictures it is the same for all pools. Keys and versions
    as for `RowStep`.
    """

    images: ClassVar[bool] = False
    """Whether it looks at the pool's pictures, by `view.pool.samples()`."""
    cost: ClassVar[str] = "seconds"
    """What it takes, for people who choose a filter: "about 11 GPU hours"."""

    @abstractmethod
    def fit(self, view: "View", bench: Bench) -> Arrays:
        """Compute the arrays."""


class Filter(ABC):
    """What a user names and runs; subclasses are frozen dataclasses with JSON-able fields."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    summary: ClassVar[str]
    example: ClassVar[str] = ""
    """Parameters of a typical use, as typed: "fraction=0.3". Needed where defaults make none."""
    reference: ClassVar[str] = ""
    """The paper that it comes from, such as "arXiv 2304.14108"."""
    uses_eval_related_data: ClassVar[Literal["none", "train"]] = "none"
    """Whether it was made with data of the evaluation tasks' training splits; never test splits."""
    waives: ClassVar[Mapping[str, str]] = {}
    """Checks of the conformance kit that it cannot hold to, each with the reason."""
    _finds_by_name: ClassVar[bool] = True
    """Whether `select` finds columns by their names alone, which therefore differ."""

    def columns(self) -> tuple[str, ...]:
        """Pool columns that `select` reads."""
        return ()

    def steps(self) -> tuple[Step, ...]:
        """The producers whose columns `select` reads."""
        return ()

    def fits(self) -> tuple[Fit, ...]:
        """The fits whose arrays `select` reads."""
        return ()

    def children(self) -> tuple["Filter", ...]:
        """The filters that it combines; combine.py has the combinations."""
        return ()

    def rules(self) -> tuple[str, ...]:
        """What is in force with these parameters, one readable sentence each, for `explain`."""
        return (self.summary,)

    def score(self) -> "Expression | None":
        """What it ranks rows by, the higher the better; None if it does not rank them."""
        return None

    def params(self) -> Any:
        """The parameters as JSON values, from which `tree.from_tree` builds it again."""
        return parameters(self)

    @abstractmethod
    def select(self, view: "View") -> Iterable[Selection]:
        """For every part, in the order of `view.parts()`, say which rows are KEPT."""


def runtime_field(*, default: Any) -> Any:
    """A dataclass field that cannot change results, such as a path: left out of keys."""
    return dataclasses.field(default=default, metadata={"runtime": True})


def parameters(thing: Filter | Step | Fit, *, runtime: bool = True) -> dict[str, Any]:
    """The fields of a filter, step or fit as a dict; no runtime fields if `runtime` is False."""
    return {
        field.name: getattr(thing, field.name)
        for field in fields(type(thing))
        if runtime or not field.metadata.get("runtime")
    }


def fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    """The parameters of a filter or step class; `FilterError` if it is no dataclass."""
    if not dataclasses.is_dataclass(kind):
        raise FilterError(f"{kind.__module__}.{kind.__qualname__} must be a frozen dataclass")
    return dataclasses.fields(cast(Any, kind))
