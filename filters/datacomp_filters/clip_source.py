"""What the parameter `model` of a filter names: a CLIP, described without loading it, and loaded.

    model=runs/dfn                      the folder of a finished `datacomp train`
    model=ViT-B-32/openai               an open_clip model with released weights on this machine
    model=ViT-B-32/weights/dfn.bin      an open_clip model with the weights of a local file

Nothing is fetched. What a CLIP computes is known by content: weights and configuration are assets.
A pickled checkpoint (.bin, .pt) is read by torch's weights-only reader, which runs no code.
"""

import importlib.util
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.errors import FilterError, MissingExtraError, TrainingError, UsageError, require
from datacomp.files import sha256_json
from datacomp.filtering import Asset, Filter
from datacomp.filtering.assets import FoundAsset
from datacomp.training.checkpoint import WEIGHTS
from datacomp.training.encoder import load_encoder
from datacomp.training.run import RECIPE, RUN, read_recipe, read_run
from datacomp.training.transform import eval_pixels, to_model_input

BATCH = 64
"""Rows to a pass, always: a short batch is filled up, so that no row depends on its neighbours."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A CLIP in evaluation mode, float32; `pixels` makes a picture one (3, s, s) float32 tensor."""

    model: Any
    tokenizer: Any
    pixels: Callable[[Image.Image], Any]
    device: str

    @property
    def logit_scale(self) -> float:
        """What multiplies cosines before the softmax of the loss: 1 / temperature."""
        return float(self.model.logit_scale.detach().exp())

    def encode_image(self, images: Sequence[Image.Image]) -> Vectors:
        """RGB pictures of any size to (n, embed_dim) float32, not normalised; n of 1 or more."""
        torch = require("torch", "train")
        return self._batches(torch.stack([self.pixels(image) for image in images]), "encode_image")

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Texts to (n, embed_dim) float32, not normalised; n of 1 or more."""
        return self._batches(self.tokenizer(list(texts)), "encode_text")

    def _batches(self, inputs: Any, tower: str) -> Vectors:
        torch = require("torch", "train")
        made = []
        with torch.inference_mode():
            for batch in inputs.split(BATCH):
                filled = torch.cat([batch, batch[:1].expand(BATCH - len(batch), *batch.shape[1:])])
                vectors = getattr(self.model, tower)(filled.to(self.device))
                made.append(vectors[: len(batch)].float().cpu().numpy())
        return np.concatenate(made)


class ClipSource(ABC):
    """A CLIP that can be loaded; frozen dataclasses."""

    @property
    @abstractmethod
    def embed_dim(self) -> int:
        """Dimensions of its vectors, from its configuration alone."""

    @abstractmethod
    def assets(self) -> tuple[Asset, ...]:
        """Weights and configuration."""

    @abstractmethod
    def load(self, device: str) -> Clip:
        """Load it onto "cpu" or "cuda"."""


def find_clip(model: str) -> ClipSource:
    """What `model` names; `UsageError` if it names nothing, `TrainingError` for a run not done."""
    if not model:
        raise UsageError("a model's name is empty; expected the folder of a run, or MODEL/WEIGHTS")
    folder = Path(model).expanduser()
    if (folder / RUN).is_file():
        if not read_run(folder).finished:
            raise TrainingError(f"{folder} is not finished. Run the same datacomp train again.")
        if lacking := [name for name in (RECIPE, WEIGHTS) if not (folder / name).is_file()]:
            raise TrainingError(f"{folder} is not a whole run: it has no {lacking[0]}")
        return _Run(folder)
    name, _, weights = model.partition("/")
    if folder.is_dir():
        raise UsageError(f"model={model} is a folder without {RUN}: not a run of datacomp train")
    config = _config_file(name)
    if not weights or not config.is_file():
        raise UsageError(
            f"model={model} is neither the folder of a finished datacomp train, nor an open_clip "
            "model and its weights, such as ViT-B-32/openai or ViT-B-32/path/to/weights.bin"
        )
    text = json.loads(config.read_bytes())["text_cfg"]
    if "hf_tokenizer_name" in text or "hf_model_name" in text:
        raise UsageError(
            f"model={model}: open_clip takes the tokenizer of {name} from a model hub, so that its "
            "content is not known. Take a model with open_clip's own tokenizer"
        )
    file = Path(weights).expanduser()
    return _OpenClip(name, None, file) if file.is_file() else _released(name, weights)


def anchor_model(chosen: Filter, field: str = "model") -> None:
    """Make the paths in a `model` parameter absolute, several stand apart by commas.

    For `__post_init__`, as `paths.anchor_paths`; what names no file stays as it was typed.
    """
    given = getattr(chosen, field)
    if given is not None:
        object.__setattr__(chosen, field, ",".join(map(_anchored, given.split(","))))


def _anchored(model: str) -> str:
    path = Path(model).expanduser()
    if model and path.is_dir():
        return str(path.absolute())
    name, _, weights = model.partition("/")
    file = Path(weights).expanduser()
    return f"{name}/{file.absolute()}" if weights and file.is_file() else model


@dataclass(frozen=True)
class _Run(ClipSource):
    folder: Path

    @property
    def embed_dim(self) -> int:
        return int(read_recipe(self.folder).model["embed_dim"])

    def assets(self) -> tuple[Asset, ...]:
        weights, recipe = self.folder / WEIGHTS, self.folder / RECIPE
        return (FoundAsset("clip weights", weights), FoundAsset("clip configuration", recipe))

    def load(self, device: str) -> Clip:
        encoder = load_encoder(self.folder, device)
        torch, size = require("torch", "train"), encoder.recipe.image_size

        def pixels(image: Image.Image) -> Any:
            return to_model_input(torch.from_numpy(np.array(eval_pixels(image, size)[None])))[0]

        return Clip(encoder.model, encoder.tokenizer, pixels, device)


@dataclass(frozen=True)
class _Configuration(FoundAsset):
    """An open_clip configuration; released weights come with preprocessing of their own."""

    settings: str = ""

    def sha256(self) -> str:
        return sha256_json([super().sha256(), self.settings])


@dataclass(frozen=True)
class _OpenClip(ClipSource):
    name: str
    tag: str | None
    weights: Path

    @property
    def embed_dim(self) -> int:
        return int(json.loads(_config_file(self.name).read_bytes())["embed_dim"])

    def assets(self) -> tuple[Asset, ...]:
        settings = f"{self.name}/{self.tag}" if self.tag else self.name
        config = _Configuration("clip configuration", _config_file(self.name), settings=settings)
        return (FoundAsset("clip weights", self.weights), config)

    def load(self, device: str) -> Clip:
        open_clip = require("open_clip", "train")
        released = open_clip.pretrained.get_pretrained_cfg(self.name, self.tag) if self.tag else {}
        wanted = {"image_mean": "mean", "image_std": "std", "image_resize_mode": "resize_mode"}
        wanted["image_interpolation"] = "interpolation"
        try:
            model, pixels = open_clip.create_model_from_pretrained(
                self.name,
                str(self.weights),
                device=device,
                # Released weights know their activation, whatever the model's name says.
                force_quick_gelu=released.get("quick_gelu", False),
                **{name: released.get(key) for name, key in wanted.items()},
            )
        except Exception as error:
            raise FilterError(
                f"{self.weights} could not be loaded as open_clip's {self.name}: {error}"
            ) from error
        if device == "cpu":
            require("torch", "train").set_num_threads(1)
        return Clip(model.eval(), open_clip.get_tokenizer(self.name), pixels, device)


def _config_file(name: str) -> Path:
    """The configuration of an open_clip model, found without importing open_clip, hence torch."""
    found = importlib.util.find_spec("open_clip")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(
            "this needs the package 'open_clip', which is not installed. "
            "Run: pip install 'datacomp[train]'"
        )
    return Path(found.submodule_search_locations[0]) / "model_configs" / f"{name}.json"


def _released(name: str, tag: str) -> _OpenClip:
    """The weights that open_clip, or its hub client, put into its cache under a tag."""
    open_clip = require("open_clip", "train")
    known = open_clip.pretrained.list_pretrained_tags_by_model(name)
    if tag not in known:
        raise UsageError(
            f"model={name}/{tag}: {tag} is no file here, and open_clip releases no weights of "
            f"{name} by that name. It releases: {', '.join(known) or 'none'}"
        )
    config = open_clip.pretrained.get_pretrained_cfg(name, tag)
    cached = [*_cached_by_hub(config.get("hf_hub", "")), *_cached_by_url(config.get("url", ""))]
    if not cached:
        raise FilterError(
            f"the weights of model={name}/{tag} are not on this machine, and filters fetch "
            'nothing. Run: python -c "import open_clip; open_clip.create_model('
            f"'{name}', pretrained='{tag}')\""
        )
    return _OpenClip(name, tag, cached[0])


def _cached_by_hub(place: str) -> list[Path]:
    """`organisation/repository/file`, or `organisation/repository/` for open_clip's file names."""
    repository, _, file = place.rpartition("/")
    if not repository:
        return []
    hub, constants = require("huggingface_hub", "train"), require("open_clip.constants", "train")
    file = file or constants.HF_WEIGHTS_NAME
    names = [constants.HF_SAFE_WEIGHTS_NAME] if file == constants.HF_WEIGHTS_NAME else []
    names += [str(Path(file).with_suffix(".safetensors")), file]
    found = (hub.try_to_load_from_cache(repository, name) for name in names)
    return [Path(path) for path in found if isinstance(path, str)]


def _cached_by_url(url: str) -> list[Path]:
    path = Path("~/.cache/clip").expanduser() / url.rpartition("/")[2]
    return [path] if url and path.is_file() else []
