"""The life of one part: read once, computed by every step that lacks it, checked, stored.

Knows no processes.
"""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from datacomp.errors import DatacompError, FilterError, PoolError
from datacomp.filtering.contract import Arrays, Fit, Host, ImageStep, PoolStep, Step
from datacomp.filtering.spec import StepSpec, identity
from datacomp.filtering.store import ScoreStore, Task
from datacomp.pool import Part, Pool, SampleIndex
from datacomp.pool.schema import UID

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH_ROWS = 8192
IMAGE_BATCH_ROWS = 64
"""Pictures in memory at a time, decoded: 64 of 512 x 512 are 50 MB."""


@dataclass(frozen=True)
class Job:
    """A part, and the steps that lack it: (index of the step, task) each, in computable order.

    `stored` are the steps whose results these read from the store; `fits` goes from the identity of
    a fit that they need to its key.
    """

    part: str
    n_rows: int
    tasks: tuple[tuple[int, Task], ...]
    stored: tuple[tuple[int, Task], ...] = ()
    fits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How one step of a job ended: stored, or failed with the error.

    `no_image` and `broken_image` count the rows that an image step could not see.
    """

    part: str
    step: int
    n_rows: int
    error: str | None = None
    no_image: int = 0
    broken_image: int = 0


@dataclass
class _Attempt:
    """One step at work on one part."""

    index: int
    step: Step
    spec: StepSpec
    task: Task
    batches: list[pa.RecordBatch] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None

    def feed(self, compute: Callable[..., Any], batch: pa.RecordBatch, *images: Any) -> None:
        """Compute one batch, and hold the step to what it declared."""
        start = time.perf_counter()
        made = compute(batch, *images)
        self.seconds += time.perf_counter() - start
        self.batches.append(checked(self.step, made, batch.num_rows, self.task.part))


def checked(step: Step, made: Any, n_rows: int, part: str) -> pa.RecordBatch:
    """What a step answered for so many rows; `FilterError` unless it is what it declares."""
    if not isinstance(made, pa.RecordBatch):
        raise FilterError(
            f"step {step.name!r} returned {type(made).__name__}, expected a pyarrow.RecordBatch"
        )
    if made.num_rows != n_rows:
        raise FilterError(
            f"step {step.name!r} returned {made.num_rows:,} rows for {n_rows:,} of part {part}; "
            "a step keeps every row, null if it failed"
        )
    if not made.schema.equals(step.outputs()):
        raise FilterError(
            f"step {step.name!r} returned {_columns(made.schema)}, "
            f"but declares {_columns(step.outputs())}"
        )
    return made


@dataclass
class _Images:
    """The pictures of a part's rows, each decoded once for all steps; counts what is not there."""

    samples: SampleIndex
    positions: Sequence[int]
    missing: int = 0
    broken: int = 0

    def decoded(self, start: int, stop: int) -> "list[Image | None]":
        return [self._decoded(int(position)) for position in self.positions[start:stop]]

    def _decoded(self, position: int) -> "Image | None":
        if position < 0:
            self.missing += 1
            return None
        sample = self.samples.read(position)
        try:
            return sample.decode()
        except PoolError:
            self.broken += 1
            return None


@dataclass
class Work:
    """The steps of a filter on a pool, results going to a store; a step is opened on first use."""

    steps: tuple[Step, ...]
    specs: tuple[StepSpec, ...]
    pool: Pool
    store: ScoreStore
    device: str = "cpu"
    _opened: dict[int, Callable[..., Any]] = field(default_factory=dict)
    _fit_keys: dict[str, str] = field(default_factory=dict)

    def attempt(self, job: Job) -> list[Outcome]:
        """Compute one part; whatever goes wrong in a step is its outcome and nobody else's."""
        attempts = [_Attempt(i, self.steps[i], self.specs[i], task) for i, task in job.tasks]
        images = None
        try:
            part = self.pool.part(job.part)
            self._fit_keys.update(job.fits)
            stored = self._stored(job)
            images = self._images(part, attempts)
            for batch, start in self._batches(part, attempts):
                n = batch.num_rows
                pictures = images.decoded(start, start + n) if images else []
                before = {key: column.slice(start, n) for key, column in stored.items()}
                for attempt in attempts:
                    if attempt.error is None:
                        self._feed(attempt, batch, before, pictures)
                    if attempt.error is None:
                        made = attempt.batches[-1]
                        names = made.schema.names
                        before |= {(attempt.index, name): made.column(name) for name in names}
            for attempt in attempts:
                if attempt.error is None:
                    self._store(attempt, part, images)
        except Exception as error:
            for attempt in attempts:
                attempt.error = attempt.error or told(error)
        return [self._outcome(attempt, job, images) for attempt in attempts]

    def _feed(
        self,
        attempt: _Attempt,
        batch: pa.RecordBatch,
        before: Mapping[tuple[int, str], pa.Array],
        pictures: "list[Image | None]",
    ) -> None:
        """One batch to one step: what it declared, and nothing else."""
        names = (*attempt.spec.columns, *attempt.spec.features)
        declared = {name: batch.column(name) for name in names}
        try:
            for step in attempt.step.inputs():
                number = self._numbers[identity(step)]
                for name in step.outputs().names:
                    if (number, name) not in before:
                        raise FilterError(f"step {step.name!r}, which it builds on, failed")
                    declared[name] = before[number, name]
            # Without any column there is nothing that would tell the number of rows.
            rows = declared or {UID: batch.column(UID)}
            attempt.feed(
                self._function(attempt.index),
                pa.record_batch(rows),
                *([pictures] if attempt.spec.images else []),
            )
        # A step that exits would end the run with its exit code, which may be 0.
        except (Exception, SystemExit) as error:
            attempt.error = told(error)

    def _stored(self, job: Job) -> dict[tuple[int, str], pa.Array]:
        """What steps of this part build on and was computed before."""
        return {
            (number, name): self.store.read(self.specs[number], task, name).combine_chunks()
            for number, task in job.stored
            for name in self.steps[number].outputs().names
        }

    def _function(self, index: int) -> Callable[..., Any]:
        if index not in self._opened:
            step = self.steps[index]
            assert not isinstance(step, PoolStep)
            opened: Any = step.open(
                Host(device=self.device, arrays=lambda fit: self._arrays(step, fit))
            )
            if not callable(opened):
                raise FilterError(
                    f"step {step.name!r} opened as {type(opened).__name__}, expected the function "
                    "that computes"
                )
            self._opened[index] = opened
        return self._opened[index]

    def _arrays(self, step: Step, fit: Fit) -> Arrays:
        if fit not in step.fits():
            raise FilterError(
                f"step {step.name!r} reads fit {fit.name!r}, which it does not declare"
            )
        arrays = self.store.read_fit(fit.name, self._fit_keys[identity(fit)])
        if arrays is None:
            raise FilterError(f"the arrays of fit {fit.name!r} are gone. Run again.")
        return arrays

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {identity(step): number for number, step in enumerate(self.steps)}

    def _images(self, part: Part, attempts: list[_Attempt]) -> _Images | None:
        if not any(isinstance(attempt.step, ImageStep) for attempt in attempts):
            return None
        samples = self.pool.samples()
        return _Images(samples, samples.locate(self.pool.uids(part)).tolist())

    def _batches(
        self, part: Part, attempts: list[_Attempt]
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Columns and features of all steps together, and the row that the batch starts at."""
        columns = dict.fromkeys(name for attempt in attempts for name in attempt.spec.columns)
        if any(not (attempt.spec.columns or attempt.spec.features) for attempt in attempts):
            columns[UID] = None
        keys = dict.fromkeys(key for attempt in attempts for key in attempt.spec.features)
        features = {key: self.pool.features(part, key) for key in keys}
        rows = IMAGE_BATCH_ROWS if any(a.spec.images for a in attempts) else BATCH_ROWS
        start = 0
        for batch in self.pool.batches(part, tuple(columns) or (UID,), rows):
            stop = start + batch.num_rows
            for key, array in features.items():
                flat = pa.array(array[start:stop].reshape(-1))
                lists = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
                batch = batch.append_column(key, lists)
            yield batch, start
            start = stop

    def _store(self, attempt: _Attempt, part: Part, images: _Images | None) -> None:
        outputs = pa.Table.from_batches(attempt.batches, attempt.step.outputs())
        if outputs.num_rows != attempt.task.n_rows:
            raise FilterError(
                f"part {part.name} had {attempt.task.n_rows:,} rows when the run was planned, "
                f"{outputs.num_rows:,} now. Run again."
            )
        facts: dict[str, Any] = {"seconds": round(attempt.seconds, 3)}
        if attempt.spec.images and images:
            facts |= {"no_image": images.missing, "broken_image": images.broken}
        self.store.write(attempt.spec, attempt.task, self.pool.uids(part), outputs, facts)

    def _outcome(self, attempt: _Attempt, job: Job, images: _Images | None) -> Outcome:
        unseen = (0, 0)
        if attempt.spec.images and images and attempt.error is None:
            unseen = (images.missing, images.broken)
        return Outcome(job.part, attempt.index, attempt.task.n_rows, attempt.error, *unseen)


def told(error: BaseException) -> str:
    """What went wrong in code of others: kind, message, and the line; our errors as they are."""
    if isinstance(error, DatacompError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    # Compiled libraries name files that are not there; who called them helps more.
    frame = next((f for f in reversed(frames) if Path(f.filename).is_file()), frames[-1])
    return f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema) or "no column"
