"""A captioner small enough for the tiny pool: trained on a trusted set in minutes on one thread.

It plays the part that BLIP plays for SIEVE at web scale: it has seen clean pictures outside the
pool, no text written into any, and speaks of what it sees in its own few words. It learns the names
of classes where the trusted set has them (column `label`), else the captions; names are short,
which is half of its speed. Sampled as SIEVE samples BLIP, but for lengths: a name may be one word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from datacomp.errors import FilterError, UsageError, require
from datacomp.filtering import Arrays, Asset, Bench, Fit, Host, View, runtime_field
from datacomp.pool import open_pool
from datacomp.pool.pool import Pool
from datacomp_filters.captioning.captioner import Captioner, Speaker
from datacomp_filters.captioning.sampling import NextLogits, Sampling
from datacomp_filters.captioning.words import END, LENGTH, START, make_vocabulary, to_tokens
from datacomp_filters.trusted import LABEL, pool_assets

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from datacomp_filters.captioning.small_model import SmallCaptioner
    from datacomp_filters.captioning.small_training import Pixels

STEPS = 600
VOCABULARY = "vocabulary"
_WEIGHTS = "weights/"
_PER_TELL = 500


@dataclass(frozen=True, kw_only=True)
class SmallCaptionerFit(Fit):
    """Weights (`weights/...`, float32) and `vocabulary` (unicode) from the pool folder `trusted`.

    Keeps its pictures in memory, 7 kB each.
    """

    name = "small_captioner"
    cost = "about 3 minutes on one thread"

    steps: int = STEPS
    trusted: str = runtime_field(default="")

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"a captioner is trained for 1 step or more, got {self.steps}")

    def assets(self) -> tuple[Asset, ...]:
        """The trusted set's metadata, and the record of its shards."""
        record = Asset(name="pool.json", path=Path(self.trusted) / "pool.json")
        files = pool_assets(self.trusted)
        return (*(asset for asset in files if asset.path.suffix == ".parquet"), record)

    def fit(self, view: View, bench: Bench) -> Arrays:
        """Read the trusted set, train; resumes from the bench's folder."""
        require("torch", "train")
        from datacomp_filters.captioning.small_training import Lesson, train

        pixels, captions = _read(open_pool(self.trusted), bench)
        vocabulary = make_vocabulary(captions)
        tokens = to_tokens(captions, vocabulary)
        lesson = Lesson(pixels, tokens, len(vocabulary), self.steps)
        model = train(lesson, bench.folder, bench.device, bench.tell)
        weights = {
            f"{_WEIGHTS}{name}": tensor.cpu().contiguous().numpy()
            for name, tensor in model.state_dict().items()
        }
        return {VOCABULARY: np.array(vocabulary), **weights}


@dataclass(frozen=True, kw_only=True)
class SmallCaptions(Captioner):
    """Captions by a captioner that was trained on the pool folder `trusted`."""

    name = "small_captions"
    device = "either"
    rows_per_second = 200.0
    # Start and one word at least.
    sampling: ClassVar[Sampling] = Sampling(min_length=2, max_length=LENGTH)
    pictures_a_pass: ClassVar[int] = 64

    steps: int = STEPS
    trusted: str = runtime_field(default="")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fits()

    def fits(self) -> tuple[Fit, ...]:
        """The training."""
        return (SmallCaptionerFit(steps=self.steps, trusted=self.trusted),)

    def speaker(self, host: Host) -> Speaker:
        """Build the network from the arrays."""
        torch = require("torch", "train")
        from datacomp_filters.captioning.small_model import SmallCaptioner

        (fit,) = self.fits()
        arrays = host.arrays(fit)
        vocabulary = arrays[VOCABULARY].tolist()
        model = SmallCaptioner(len(vocabulary))
        weights = {
            name.removeprefix(_WEIGHTS): torch.from_numpy(np.array(array))
            for name, array in arrays.items()
            if name.startswith(_WEIGHTS)
        }
        model.load_state_dict(weights)
        if host.device == "cpu":
            torch.set_num_threads(1)
        model = model.to(device=host.device, memory_format=torch.channels_last).eval()
        return _Small(model, vocabulary, host.device)


class _Small(Speaker):
    def __init__(self, model: "SmallCaptioner", vocabulary: list[str], device: str) -> None:
        self.model, self.vocabulary, self.device = model, vocabulary, device
        self.prompt, self.end = (START,), END

    def look(self, images: "Sequence[Image]", copies: int) -> NextLogits:
        torch = require("torch", "train")
        from datacomp_filters.captioning.small_model import normalised, speakable

        pixels = torch.from_numpy(np.stack([fitted(image) for image in images])).to(self.device)
        places = self.model.see(normalised(pixels)).repeat_interleave(copies, dim=0)
        state: Tensor | None = None

        def logits(tokens: "Tensor") -> "Tensor":
            nonlocal state
            last = tokens[:, -1:].to(self.device)
            spoken, state = self.model.decode(places, last, state)
            return speakable(spoken[:, 0])

        return logits

    def spell(self, tokens: list[int]) -> str:
        return " ".join(self.vocabulary[token] for token in tokens)


def fitted(image: "Image") -> "Pixels":
    """An RGB picture as (s, s, 3) uint8: its longer side to the network's, the rest white."""
    from PIL import Image

    from datacomp_filters.captioning.small_model import PIXELS

    scale = PIXELS / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    canvas = Image.new("RGB", (PIXELS, PIXELS), "white")
    small = image.resize((width, height), Image.Resampling.BICUBIC)
    canvas.paste(small, ((PIXELS - width) // 2, (PIXELS - height) // 2))
    return np.asarray(canvas)


def _read(pool: Pool, bench: Bench) -> tuple["Pixels", list[str]]:
    """Pictures and captions of the rows that have both, in the order of their uids."""
    samples = pool.samples()
    found: dict[int, str] = {}
    for part in pool.parts:
        column = LABEL if LABEL in part.columns else "text"
        texts = pool.read(part, [column]).column(0)
        _demand_text(texts, pool, column)
        places = samples.locate(pool.uids(part))
        for place, text in zip(places.tolist(), texts.to_pylist(), strict=True):
            if place >= 0 and text:
                found[place] = text
    if not found:
        raise FilterError(f"{pool.url} has no row with a picture and a caption to learn from")
    # Places are in the order of uids: how the set is cut into parts makes no difference.
    order = sorted(found)
    pixels = []
    for number, place in enumerate(order):
        if number % _PER_TELL == 0:
            bench.tell(f"reading picture {number:,} of {len(order):,}")
        pixels.append(fitted(samples.read(place).decode()))
    return np.stack(pixels), [found[place] for place in order]


def _demand_text(texts: pa.ChunkedArray, pool: Pool, column: str) -> None:
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise FilterError(
            f"column {column!r} of {pool.url} is of type {texts.type}, expected captions"
        )
