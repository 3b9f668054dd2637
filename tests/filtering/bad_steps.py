"""Filters whose steps break a rule each; loaded as a plugin by test_conformance.py.

`bad_<check>` fails the check of that name. `good_pictures` fails none.
"""

import contextlib
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError
from datacomp.filtering import Asset, Filter, ImageStep, RowStep, keep_unless


class Captions(RowStep):
    """A number for each caption; a subclass says which."""

    rows_per_second = 1000.0

    def columns(self):
        return ("text",)

    def outputs(self):
        return pa.schema([(f"{self.name}_value", pa.float64())])

    def open(self, host):
        return self.compute

    def compute(self, batch):
        values = [self.value(caption) for caption in batch.column("text").to_pylist()]
        return pa.record_batch([pa.array(values, pa.float64())], schema=self.outputs())

    def value(self, caption):
        return None if caption is None else float(len(caption))


@dataclass(frozen=True)
class Length(Captions):
    name = "bad_length"


class Stepped:
    """Drops low values of its step; a subclass names the step."""

    summary = "Keep some captions."
    step = Length

    def steps(self):
        return (self.step(),)

    def select(self, view):
        for rows in view.parts():
            value = rows.scores(f"{self.step.name}_value")
            yield keep_unless(rows, {"no_value": np.isnan(value), "low": value < 20})


def stepped(check, **methods):
    """A filter named after the check whose step overrides methods of `Captions`."""
    name = f"bad_{check}"
    step = dataclass(frozen=True)(type(f"Step_{check}", (Captions,), {"name": name, **methods}))
    space = {"name": name, "step": step, "__module__": __name__}
    return dataclass(frozen=True, kw_only=True)(type(f"Filter_{check}", (Stepped, Filter), space))


@dataclass(frozen=True)
class LengthOfList(Length):
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class FrozenValues(Stepped, Filter):
    name = "bad_frozen_values"
    step = LengthOfList


@dataclass(frozen=True)
class Vocabulary(Length):
    name = "bad_missing_asset"
    words: str = ""

    def assets(self):
        return (Asset("vocabulary", Path(self.words)),)


@dataclass(frozen=True, kw_only=True)
class MissingAsset(Stepped, Filter):
    name = "bad_missing_asset"
    step = Vocabulary
    words: str

    def steps(self):
        assert Path(self.words).read_text()
        return (Vocabulary(words=self.words),)


def _refuse(self, device):
    raise RuntimeError("no such model")


def _undeclared(self, batch):
    batch.column("url")
    return Captions.compute(self, batch)


def _other_type_for_one(self, batch):
    made = Captions.compute(self, batch)
    narrow = pa.schema([made.schema.field(0).with_type(pa.float32())])
    return made.cast(narrow) if len(batch) == 1 else made


def _swallow(self, caption):
    try:
        return float(caption.length)
    except AttributeError:
        return None


def _mean(self, batch):
    made = Captions.compute(self, batch).column(0).to_numpy(zero_copy_only=False)
    centred = made - np.nanmean(made)
    return pa.record_batch([pa.array(centred, from_pandas=True)], schema=self.outputs())


def _place(self, batch):
    return pa.record_batch([pa.array(np.arange(len(batch), dtype=float))], schema=self.outputs())


def _entropy(self, caption):
    return float(os.urandom(1)[0])


def _global(self, caption):
    return float(np.random.random())


def _length_of_null(self, caption):
    return float(len(caption))


def _first_letter(self, caption):
    return None if caption is None else float(ord(caption[0]))


@dataclass(frozen=True)
class Percent(RowStep):
    name = "bad_odd_numbers"
    rows_per_second = 1000.0

    def columns(self):
        return ("clip_l14_similarity_score",)

    def outputs(self):
        return pa.schema([("bad_odd_numbers_value", pa.int64())])

    def open(self, host):
        def compute(batch):
            scores = batch.column(0).to_pylist()
            values = [None if score is None else int(score * 100) for score in scores]
            return pa.record_batch([pa.array(values, pa.int64())], schema=self.outputs())

        return compute


@dataclass(frozen=True, kw_only=True)
class OddNumbers(Stepped, Filter):
    name = "bad_odd_numbers"
    step = Percent


@dataclass(frozen=True)
class FeatureNorm(Percent):
    name = "bad_odd_features"
    features = ("l14_img",)

    def columns(self):
        return ()

    def outputs(self):
        return pa.schema([("bad_odd_features_value", pa.float32())])

    def open(self, host):
        def compute(batch):
            rows = batch.column("l14_img").flatten().to_numpy().reshape(len(batch), -1)
            if not np.isfinite(rows).all():
                raise ValueError("features are not finite")
            norms = np.linalg.norm(rows.astype(np.float32), axis=1)
            return pa.record_batch([pa.array(norms)], schema=self.outputs())

        return compute


@dataclass(frozen=True, kw_only=True)
class OddFeatures(Stepped, Filter):
    name = "bad_odd_features"
    step = FeatureNorm


class Pictures(ImageStep):
    """Mean brightness; a subclass spoils it."""

    rows_per_second = 100.0

    def columns(self):
        return ()

    def outputs(self):
        return pa.schema([(f"{self.name}_value", pa.float64())])

    def open(self, host):
        def compute(batch, images):
            values = [self.value(image) for image in images]
            return pa.record_batch([pa.array(values, pa.float64())], schema=self.outputs())

        return compute

    def value(self, image):
        return None if image is None else float(np.asarray(image).mean())


@dataclass(frozen=True)
class Brightness(Pictures):
    name = "good_pictures"


@dataclass(frozen=True, kw_only=True)
class GoodPictures(Stepped, Filter):
    name = "good_pictures"
    step = Brightness


def pictured(check, value):
    """A filter named after the check whose image step answers with `value`."""
    name = f"bad_{check}"
    space = {"name": name, "value": lambda self, image: value(image)}
    step = dataclass(frozen=True)(type(f"Step_{check}", (Pictures,), space))
    space = {"name": name, "step": step, "__module__": __name__}
    return dataclass(frozen=True, kw_only=True)(type(f"Filter_{check}", (Stepped, Filter), space))


def _in_place(image):
    if image is None:
        return None
    image.thumbnail((8, 8))
    return float(np.asarray(image).mean())


def _per_pixel(image):
    return None if image is None else 1.0 / (image.width - 1)


def _zero_for_none(image):
    return 0.0 if image is None else 1.0


def _reach_out(self, device):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), timeout=1).close()
    return self.compute


def _write_here(self, device):
    Path("left_behind.txt").write_text("mine")
    return self.compute


def _string_hash(self, caption):
    return None if caption is None else float(hash(caption) % 1000)


@dataclass(frozen=True)
class Unknown(Length):
    name = "needs_a_pool"

    def columns(self):
        return ("text", "aesthetic")

    def compute(self, batch):
        if batch.schema.field("aesthetic").type != pa.float64():
            raise FilterError("aesthetic is not double")
        return Length.compute(self, batch)


@dataclass(frozen=True, kw_only=True)
class NeedsAPool(Stepped, Filter):
    name = "needs_a_pool"
    step = Unknown


@dataclass(frozen=True)
class OnGpu(Length):
    name = "on_gpu"
    device = "gpu"


@dataclass(frozen=True, kw_only=True)
class NeedsAGpu(Stepped, Filter):
    name = "needs_a_gpu"
    step = OnGpu


@dataclass(frozen=True)
class Rounded(Captions):
    name = "rounded"
    tolerance = 1e-3

    def compute(self, batch):
        made = Captions.compute(self, batch).column(0).to_numpy(zero_copy_only=False)
        moved = made * (1 + 1e-5 * len(batch))
        return pa.record_batch([pa.array(moved, from_pandas=True)], schema=self.outputs())


@dataclass(frozen=True, kw_only=True)
class WithTolerance(Stepped, Filter):
    name = "with_tolerance"
    step = Rounded


FailsToOpen = stepped("runs", open=_refuse)
Undeclared = stepped("declared_inputs", compute=_undeclared)
OtherTypeForOne = stepped("declared_outputs", compute=_other_type_for_one)
Swallows = stepped("ordinary_values", value=_swallow)
Centred = stepped("batch_size", compute=_mean)
ByPlace = stepped("row_order", compute=_place)
Entropy = stepped("repeatable", value=_entropy)
GlobalState = stepped("seed", value=_global)
NullRows = stepped("null_rows", value=_length_of_null)
OddCaptions = stepped("odd_captions", value=_first_letter)
Network = stepped("no_network", open=_reach_out)
Files = stepped("files", open=_write_here)
OtherProcess = stepped("other_process", value=_string_hash)
InPlace = pictured("inputs_untouched", _in_place)
OddPictures = pictured("odd_pictures", _per_pixel)
BrokenPictures = pictured("broken_pictures", _zero_for_none)
