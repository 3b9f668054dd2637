"""Toy filters, loaded as a plugin file by the tests, so that other processes find them too."""

import os
import threading
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datacomp.filtering import Filter, RowStep, keep_unless, runtime_field


@dataclass(frozen=True, kw_only=True)
class Length(RowStep):
    """Characters of the caption; `trouble` makes a part with that caption fail."""

    name = "length"
    rows_per_second = 1000.0
    scale: float = 1.0
    trouble: str = "none"
    log: str | None = runtime_field(default=None)

    def columns(self):
        return ("text",)

    def outputs(self):
        return pa.schema([("length", pa.float32())])

    def open(self):
        def compute(batch):
            captions = batch.column("text").to_pylist()
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{captions[0]}\n")
            if "raise" in captions and self.trouble == "raise":
                raise ValueError("no caption like that")
            if "die" in captions and self.trouble == "die":
                os._exit(9)
            if self.trouble == "hang":
                os.write(1, b"computing\n")
                threading.Event().wait()
            if self.trouble == "drop":
                captions = captions[1:]
            if self.trouble == "list":
                return captions
            values = [None if c is None else len(c) * self.scale for c in captions]
            kind = pa.float64() if self.trouble == "dtype" else pa.float32()
            return pa.record_batch([pa.array(values, kind)], names=["length"])

        return compute


@dataclass(frozen=True, kw_only=True)
class Longest(Filter):
    """Captions of at least `minimum` characters."""

    name = "toy_longest"
    summary = "Keep long captions."
    minimum: float = 3.0
    scale: float = 1.0
    trouble: str = "none"
    log: str | None = runtime_field(default=None)
    reads: str = "length"

    def steps(self):
        return (Length(scale=self.scale, trouble=self.trouble, log=self.log),)

    def select(self, view):
        length = view.scores(self.reads)
        return keep_unless(
            view.uids, {"no_score": np.isnan(length), "short": ~(length >= self.minimum)}
        )


@dataclass(frozen=True, kw_only=True)
class Norm(RowStep):
    """Norm of the image feature: a step that reads features and no column."""

    name = "norm"
    rows_per_second = 1000.0
    features = ("l14_img",)

    def columns(self):
        return ()

    def outputs(self):
        return pa.schema([("norm", pa.float32())])

    def open(self):
        def compute(batch):
            column = batch.column("l14_img")
            rows = column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32)
            return pa.record_batch([pa.array(np.linalg.norm(rows, axis=1))], names=["norm"])

        return compute


@dataclass(frozen=True, kw_only=True)
class ByNorm(Filter):
    """Features of at least a norm."""

    name = "toy_norm"
    summary = "Keep long features."
    minimum: float = 1.0

    def steps(self):
        return (Norm(),)

    def select(self, view):
        return keep_unless(view.uids, {"short": ~(view.scores("norm") >= self.minimum)})


@dataclass(frozen=True, kw_only=True)
class Forgetful(Filter):
    """Loses a row without counting it."""

    name = "toy_forgetful"
    summary = "Lose a row."

    def select(self, view):
        return keep_unless(view.uids[1:], {})
