"""Toy filters, loaded as a plugin file by the tests, so that other processes find them too."""

import os
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datacomp.filtering import (
    Filter,
    Fit,
    ImageStep,
    RowStep,
    Selection,
    keep_unless,
    runtime_field,
)


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

    def open(self, host):
        def compute(batch):
            captions = batch.column("text").to_pylist()
            if self.log:
                with open(self.log, "a") as file:
                    file.write(f"{captions[0]}\n")
            if "raise" in captions and self.trouble == "raise":
                raise ValueError("no caption like that")
            if "die" in captions and self.trouble == "die":
                os._exit(9)
            if "exit" in captions and self.trouble == "exit":
                sys.exit(0)
            if self.trouble == "print":
                sys.stdout.write("a step that talks\n")
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
        for rows in view.parts():
            length = rows.scores(self.reads)
            short = ~(length >= self.minimum)
            yield keep_unless(rows, {"no_score": np.isnan(length), "short": short})


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

    def open(self, host):
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
        for rows in view.parts():
            yield keep_unless(rows, {"short": ~(rows.scores("norm") >= self.minimum)})


@dataclass(frozen=True, kw_only=True)
class Forgetful(Filter):
    """Loses rows without counting them."""

    name = "toy_forgetful"
    summary = "Lose rows."
    loses: str = "row"

    def select(self, view):
        for rows in view.parts():
            if self.loses == "row" or rows.part != view.pool.parts[-1]:
                selection = keep_unless(rows, {})
                kept = selection.code[1:] if self.loses == "row" else selection.code
                yield Selection((), kept)


@dataclass(frozen=True, kw_only=True)
class Redness(ImageStep):
    """Mean of the first channel; notes how many pictures it was shown."""

    name = "redness"
    rows_per_second = 1000.0
    channel: int = 0
    log: str | None = runtime_field(default=None)

    def columns(self):
        return ("text",)

    def outputs(self):
        return pa.schema([(f"channel_{self.channel}", pa.float32())])

    def open(self, host):
        def compute(batch, images):
            if self.log:
                with open(self.log, "a") as file:
                    ids = [None if image is None else id(image) for image in images]
                    file.write(f"{self.channel} {ids}\n")
            means = [
                None if image is None else float(np.asarray(image)[..., self.channel].mean())
                for image in images
            ]
            return pa.record_batch([pa.array(means, pa.float32())], names=self.outputs().names)

        return compute


@dataclass(frozen=True, kw_only=True)
class Colourful(Filter):
    """Pictures with much red and green; also measures captions."""

    name = "toy_colourful"
    summary = "Keep red and green pictures."
    minimum: float = 100.0
    log: str | None = runtime_field(default=None)

    def steps(self):
        return (Redness(log=self.log), Redness(channel=1, log=self.log), Length())

    def select(self, view):
        for rows in view.parts():
            red, green = rows.scores("channel_0"), rows.scores("channel_1")
            dull = ~((red >= self.minimum) & (green >= self.minimum))
            yield keep_unless(rows, {"unseen": np.isnan(red), "dull": dull})


@dataclass(frozen=True, kw_only=True)
class Primes(Fit):
    """The primes below a number; a fit without assets."""

    name = "primes"
    below: int
    log: str | None = runtime_field(default=None)

    def fit(self, view, bench):
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{bench.device}\n")
        return {"primes": np.array([n for n in range(2, self.below) if _is_prime(n)])}


@dataclass(frozen=True, kw_only=True)
class PrimeLength(Filter):
    """Captions whose length is a prime."""

    name = "toy_prime"
    summary = "Keep captions of prime length."
    below: int = 10
    log: str | None = runtime_field(default=None)

    def steps(self):
        return (Length(),)

    def fits(self):
        return (Primes(below=self.below, log=self.log),)

    def select(self, view):
        primes = view.arrays(self.fits()[0])["primes"]
        for rows in view.parts():
            yield keep_unless(rows, {"not_prime": ~np.isin(rows.scores("length"), primes)})


@dataclass(frozen=True, kw_only=True)
class OnGpu(RowStep):
    """Tells the device that it was opened on; needs a GPU."""

    name = "on_gpu"
    rows_per_second = 1000.0
    device = "gpu"

    def columns(self):
        return ()

    def outputs(self):
        return pa.schema([("where", pa.string())])

    def open(self, host):
        where = f"{host.device} {os.environ.get('CUDA_VISIBLE_DEVICES')}"
        return lambda batch: pa.record_batch([pa.array([where] * len(batch))], names=["where"])


@dataclass(frozen=True, kw_only=True)
class Anywhere(Filter):
    """Everything, once a GPU has seen it."""

    name = "toy_gpu"
    summary = "Keep all."

    def steps(self):
        return (OnGpu(),)

    def select(self, view):
        for rows in view.parts():
            assert len(rows.column("where")) == rows.n_rows
            yield keep_unless(rows, {})


def _is_prime(n):
    return all(n % k for k in range(2, n))
