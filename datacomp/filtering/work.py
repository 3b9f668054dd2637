"""The life of one part of one step: read, compute, check, store. Knows no processes."""

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from datacomp.errors import DatacompError, FilterError
from datacomp.filtering.contract import RowFunction, RowStep
from datacomp.filtering.spec import StepSpec
from datacomp.filtering.store import ScoreStore, Task
from datacomp.pool import Part, Pool
from datacomp.pool.schema import UID

BATCH_ROWS = 8192


@dataclass(frozen=True)
class Outcome:
    """How a part ended: done, or failed with the error."""

    part: str
    n_rows: int
    error: str | None = None


@dataclass(frozen=True)
class Work:
    """A step on a pool, its results going to a store; the step is opened on first use."""

    step: RowStep
    spec: StepSpec
    pool: Pool
    store: ScoreStore

    @cached_property
    def _function(self) -> RowFunction:
        return self.step.open()

    def attempt(self, task: Task) -> Outcome:
        """Compute one part; whatever goes wrong in it is its outcome and nobody else's."""
        try:
            self.run(task)
        except DatacompError as error:
            return Outcome(task.part, task.n_rows, str(error))
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename}:{frame.lineno}"
            return Outcome(task.part, task.n_rows, f"{type(error).__name__}: {error} ({where})")
        return Outcome(task.part, task.n_rows)

    def run(self, task: Task) -> None:
        """Compute one part and store it."""
        function = self._function
        start = time.perf_counter()
        part = self.pool.part(task.part)
        batches = [self._checked(function(batch), batch, part) for batch in self._batches(part)]
        outputs = pa.Table.from_batches(batches, self.step.outputs())
        if outputs.num_rows != task.n_rows:
            raise FilterError(
                f"part {part.name} had {task.n_rows:,} rows when the run was planned, "
                f"{outputs.num_rows:,} now. Run again."
            )
        seconds = time.perf_counter() - start
        self.store.write(self.spec, task, self.pool.uids(part), outputs, seconds)

    def _batches(self, part: Part) -> Iterator[pa.RecordBatch]:
        """The declared columns and features, and nothing else."""
        features = {key: self.pool.features(part, key) for key in self.spec.features}
        start = 0
        for batch in self.pool.batches(part, self.spec.columns or (UID,), BATCH_ROWS):
            stop = start + batch.num_rows
            columns = {name: batch.column(name) for name in self.spec.columns}
            for key, array in features.items():
                flat = pa.array(array[start:stop].reshape(-1))
                columns[key] = pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
            yield pa.record_batch(columns)
            start = stop

    def _checked(self, made: Any, batch: pa.RecordBatch, part: Part) -> pa.RecordBatch:
        """Hold the step to what it declared."""
        expected = self.step.outputs()
        if not isinstance(made, pa.RecordBatch):
            raise FilterError(
                f"step {self.step.name!r} returned {type(made).__name__}, "
                "expected a pyarrow.RecordBatch"
            )
        if made.num_rows != batch.num_rows:
            raise FilterError(
                f"step {self.step.name!r} returned {made.num_rows:,} rows for a batch of "
                f"{batch.num_rows:,} of part {part.name}; a step keeps every row, null if it failed"
            )
        if not made.schema.equals(expected):
            raise FilterError(
                f"step {self.step.name!r} returned {_columns(made.schema)}, "
                f"but declares {_columns(expected)}"
            )
        return made


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema) or "no column"
