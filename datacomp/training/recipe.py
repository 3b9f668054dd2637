"""The recipe: everything that decides what a run computes, and the id that stands for it.

A `Recipe` holds only semantic fields; they hash to `recipe_id`. What merely decides how fast the
same result is computed (threads, device, checkpoint interval) is in `Systems` and does not.
Scales are data: one JSON file a scale in `scales/`, model configuration included, so that an
upgrade of open_clip cannot change a recipe. Nobody overrides a field of a scale; where another
choice is allowed, it is a variant: a named change of fields in the scale's file, with its own id.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from importlib.resources import files
from typing import Any

from datacomp.errors import TrainingError, UnknownNameError
from datacomp.files import sha256_json

# No number of a recipe is negative, nor so large.
_MOST = 2**48


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The semantic fields of a scale, in the field's standard terms."""

    scale: str
    """Name of the scale, of its variants too: boards are of a scale."""
    model: dict[str, Any]
    """open_clip model configuration (`embed_dim`, `vision_cfg`, `text_cfg`), by content."""
    init_seed: int
    """Seed of the initial weights: everybody starts from the same ones, and the run's own seed
    decides order and crops. So two submissions differ by their data, not by luck at the start."""
    samples_seen: int
    """Image-text pairs in all; pairs repeat when the subset is smaller."""
    global_batch_size: int
    learning_rate: float
    """Peak, reached after `warmup_steps` linear steps; then cosine to zero."""
    warmup_steps: int
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    """On tensors of two or more dimensions whose name has no bn, ln, bias or logit_scale."""
    crop_scale: tuple[float, float]
    """Area range of the random resized crop; aspect ratio 3/4 to 4/3, bicubic."""
    precision: str
    """`fp32`, or `amp_bf16`: fp32 weights under bfloat16 autocast."""
    sampler: str
    """Version of the order of samples: see `sampler`."""
    augmentation: str
    """Version of the image transform: see `transform`."""
    loss: str
    """Symmetric cross entropy over the global batch, logit scale clamped to [0, ln 100]."""
    optimizer: str
    schedule: str

    @cached_property
    def recipe_id(self) -> str:
        """Hex sha256 of the canonical JSON of all fields."""
        return sha256_json(asdict(self))

    @property
    def steps(self) -> int:
        """Optimizer steps: `samples_seen / global_batch_size` to the nearest, whoever computes."""
        return round(self.samples_seen / self.global_batch_size)

    @property
    def image_size(self) -> int:
        """Side in pixels of what the image tower sees."""
        return int(self.model["vision_cfg"]["image_size"])

    @property
    def context_length(self) -> int:
        """Tokens of the text tower, start and end token included."""
        return int(self.model["text_cfg"]["context_length"])

    @classmethod
    def from_json(cls, value: Any) -> "Recipe":
        """The inverse of `asdict`; `TrainingError` names what is not a recipe's in it."""
        known = {field.name: field.type for field in fields(cls)}
        if not isinstance(value, dict):
            raise TrainingError("not a recipe: not a JSON object")
        if value.keys() != known.keys():
            missing, unknown = (
                sorted(known.keys() - value.keys()),
                sorted(value.keys() - known.keys()),
            )
            raise TrainingError(f"not a recipe: missing fields {missing}, unknown fields {unknown}")
        wrong = [name for name, kind in known.items() if not _is_possible(name, kind, value[name])]
        if wrong:
            told = ", ".join(f"{name} {json.dumps(value[name])[:40]}" for name in wrong)
            raise TrainingError(f"not a recipe: impossible {told}")
        low, high = value["crop_scale"]
        return cls(**{**value, "crop_scale": (float(low), float(high))})


@dataclass(frozen=True, kw_only=True)
class Systems:
    """How a run is computed; no field changes its result."""

    device: str = "cpu"
    decode_threads: int = 1
    checkpoint_seconds: float = 300.0
    grad_checkpointing: float = 0.0
    """Share (0 to 1) of each transformer's blocks whose activations are computed again."""
    compile: bool = False
    """Whether torch.compile translates the transformers: minutes at the start, faster steps."""
    micro_batch: int | None = None
    """Rows of a process that are in one graph; None for all of them."""
    milestones: bool | None = None
    """Whether the weights at fifths of the run are kept; None for: if the run is a long one."""
    stop_at_signals: bool = False
    """Whether SIGTERM and SIGUSR1 end the run after the step at hand, once it is saved."""


def scale_names() -> tuple[str, ...]:
    """The scales, from the smallest to the largest number of samples seen."""
    names = [p.name.removesuffix(".json") for p in _folder().iterdir() if p.name.endswith(".json")]
    return tuple(sorted(names, key=lambda name: load_scale(name).samples_seen))


def load_scale(name: str, variant: str | None = None) -> Recipe:
    """The recipe of a scale, or of one of its published variants.

    `scale` is the scale's name in either case: what differs is the id. `UnknownNameError` lists
    the scales, or the variants of this one.
    """
    value, variants = _read(name)
    if variant is None:
        return Recipe.from_json(value)
    if variant not in variants:
        raise UnknownNameError(f"variant of scale {name!r}", variant, variants)
    return Recipe.from_json(value | variants[variant])


def published_recipes() -> Mapping[str, tuple[str, str | None]]:
    """Scale and variant (None for the scale itself) of every recipe id that is published."""
    named = [(scale, variant) for scale in scale_names() for variant in (None, *_read(scale)[1])]
    return {load_scale(scale, variant).recipe_id: (scale, variant) for scale, variant in named}


def recipe_of(recipe_id: str) -> Recipe:
    """The published recipe of that id; `TrainingError` if it is another's."""
    published = published_recipes()
    if recipe_id not in published:
        raise TrainingError(f"recipe {recipe_id} is none of the {len(published)} published ones")
    return load_scale(*published[recipe_id])


def _read(name: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The fields of a scale, and what each variant of it changes."""
    known = [p.name.removesuffix(".json") for p in _folder().iterdir()]
    if name not in known:  # before it becomes a part of a path
        raise UnknownNameError("scale", name, known)
    value = json.loads(_folder().joinpath(f"{name}.json").read_text())
    variants = value.pop("variants")
    return {"scale": name, **value}, variants


def _folder() -> Any:
    return files("datacomp.training").joinpath("scales")


def _is_possible(name: str, kind: Any, value: Any) -> bool:
    """Whether a field of that type may have this value of JSON's."""
    match name:
        case "model":
            sides = (("vision_cfg", "image_size"), ("text_cfg", "context_length"))
            return isinstance(value, dict) and all(_has_size(value.get(p), key) for p, key in sides)
        case "crop_scale":
            return (
                isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))
            )
        case "samples_seen" | "global_batch_size":
            return type(value) is int and 0 < value < _MOST
    if kind is str:
        return isinstance(value, str)
    return _is_number(value) and (kind is float or type(value) is int)


def _has_size(tower: Any, key: str) -> bool:
    return isinstance(tower, dict) and type(tower.get(key)) is int and 0 < tower[key] < _MOST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST
