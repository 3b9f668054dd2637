"""A toy chain, loaded as a plugin: words -> mean words (fit) -> excess -> rank in the pool."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datacomp.filtering import (
    Filter,
    Fit,
    PoolStep,
    RowStep,
    Selection,
    keep_unless,
    runtime_field,
)
from datacomp.filtering.scores import Produced


def note(log, line):
    if log:
        with open(log, "a") as file:
            file.write(f"{line}\n")


@dataclass(frozen=True, kw_only=True)
class Words(RowStep):
    """Words of the caption."""

    name = "chain_words"
    rows_per_second = 1000.0
    log: str | None = runtime_field(default=None)

    def columns(self):
        return ("text",)

    def outputs(self):
        return pa.schema([("words", pa.int32())])

    def open(self, host):
        def compute(batch):
            note(self.log, f"words {batch.num_rows}")
            if "fail" in batch.column("text").to_pylist():
                raise ValueError("told to fail")
            counts = [len((c or "").split()) for c in batch.column("text").to_pylist()]
            return pa.record_batch([pa.array(counts, pa.int32())], schema=self.outputs())

        return compute


@dataclass(frozen=True, kw_only=True)
class Mean(Fit):
    """The mean of the words over all rows; leaves a note in its folder."""

    name = "chain_mean"
    features = ("l14_img",)
    log: str | None = runtime_field(default=None)

    def inputs(self):
        return (Words(log=self.log),)

    def fit(self, view, bench):
        total = np.concatenate([rows.scores("words") for rows in view.parts()])
        width = {rows.feature("l14_img").shape[1] for rows in view.parts()}
        note(self.log, f"mean of {len(total)} rows")
        (bench.folder / "log.jsonl").write_text("{}\n")
        bench.tell("half way")
        mean = total.mean() if len(total) else 0.0
        return {"mean": np.array(mean), "width": np.array(sorted(width))}


@dataclass(frozen=True, kw_only=True)
class Excess(RowStep):
    """Words above the mean."""

    name = "chain_excess"
    rows_per_second = 1000.0
    times: float = 1.0
    undeclared: bool = False
    log: str | None = runtime_field(default=None)

    def columns(self):
        return ()

    def inputs(self):
        return (Words(log=self.log),)

    def fits(self):
        return () if self.undeclared else (Mean(log=self.log),)

    def outputs(self):
        return pa.schema([("excess", pa.float64())])

    def open(self, host):
        mean = float(host.arrays(Mean(log=self.log))["mean"])

        def compute(batch):
            assert batch.schema.names == ["words"]
            note(self.log, f"excess {batch.num_rows}")
            words = batch.column("words").to_numpy()
            return pa.record_batch([pa.array((words - mean) * self.times)], schema=self.outputs())

        return compute


@dataclass(frozen=True, kw_only=True)
class Rank(PoolStep):
    """How many rows of the pool have a lower excess."""

    name = "chain_rank"
    rows_per_second = 1000.0
    wrong: bool = False
    times: float = 1.0
    log: str | None = runtime_field(default=None)

    def inputs(self):
        return (Excess(log=self.log, times=self.times),)

    def outputs(self):
        return pa.schema([("rank", pa.int64())])

    def compute(self, view, bench):
        every = np.sort(np.concatenate([rows.scores("excess") for rows in view.parts()]))
        note(self.log, f"rank of {len(every)} rows")
        for rows in view.parts():
            found = np.searchsorted(every, rows.scores("excess"))
            found = found[: -1 if self.wrong else None]
            yield pa.record_batch([pa.array(found, pa.int64())], schema=self.outputs())


@dataclass(frozen=True, kw_only=True)
class TopRank(Filter):
    """Rows with at least so many below them."""

    name = "toy_chain"
    summary = "Keep rows that have many below them."
    example = "least=2"
    least: int = 2
    times: float = 1.0
    wrong: bool = False
    log: str | None = runtime_field(default=None)

    def steps(self):
        return (Rank(log=self.log, wrong=self.wrong, times=self.times),)

    def score(self):
        return Produced(self.params(), self.steps()[0], "rank")

    def select(self, view) -> list[Selection]:
        for rows in view.parts():
            yield keep_unless(rows, {"low": rows.scores("rank") < self.least})
