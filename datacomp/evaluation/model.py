"""Any open_clip model as an encoder, with its own tokenizer and preprocessing.

    encoder = load_model(find_weights("ViT-B-32", "openai"), device="cpu")
    encoder.provenance.weights_sha256

The model, its transform and its tokenizer are open_clip's, untouched: float32, evaluation mode. A
file of weights is read as tensors only (safetensors, or torch with `weights_only`), so that a
pickle of anything else is refused instead of run. Checkpoints of open_clip's training are taken as
they are ({"state_dict": ...}, names with or without `module.`).
"""

import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.errors import EvaluationError, require
from datacomp.evaluation.weights import Weights
from datacomp.files import sha256_file, sha256_json
from datacomp.pool.encoder import prepare_each
from datacomp.reports import ModelProvenance, Preprocessing

BATCH = 64


@dataclass(frozen=True)
class OpenClipEncoder:
    """An open_clip model; batches have a fixed size, so that results have too."""

    name: str
    identity: str
    provenance: ModelProvenance
    model: Any
    transform: Callable[[Image.Image], Any]
    tokenizer: Callable[[list[str]], Any]
    device: str
    decode_threads: int = 1

    def encode_image(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """RGB pictures of any size to (n, embed_dim) float32, not normalised."""
        torch = require("torch", "train")

        def prepare(some: Sequence[Image.Image]) -> Any:
            return torch.stack(prepare_each(self.transform, some, self.decode_threads))

        return self._batches(images, prepare, "encode_image")

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Texts to (n, embed_dim) float32, not normalised."""
        return self._batches(texts, lambda some: self.tokenizer(list(some)), "encode_text")

    def _batches(self, items: Sequence[Any], prepare: Any, tower: str) -> npt.NDArray[np.float32]:
        torch = require("torch", "train")
        encode, outputs = getattr(self.model, tower), []
        with torch.inference_mode():
            for first in range(0, len(items), BATCH):
                inputs = prepare(items[first : first + BATCH])
                n = len(inputs)
                padded = inputs.new_zeros((BATCH, *inputs.shape[1:]))
                padded[:n] = inputs
                found = encode(padded.to(self.device), normalize=False)
                outputs.append(found[:n].float().cpu().numpy())
        return np.concatenate(outputs)


def load_model(weights: Weights, device: str = "cpu", decode_threads: int = 1) -> OpenClipEncoder:
    """The model with its weights; `EvaluationError` if they do not fit, or something is missing."""
    from datacomp.training.run import platform_versions

    config = _config(weights)
    model, transform = _create(weights, device)
    preprocessing = _preprocessing(model.visual.preprocess_cfg)
    provenance = ModelProvenance(
        model=weights.model,
        pretrained=weights.pretrained,
        weights_sha256=sha256_file(weights.path),
        config_sha256=sha256_json(config),
        preprocessing=preprocessing,
        platform=platform_versions(),
    )
    facts = provenance.model_dump(mode="json", exclude={"pretrained", "platform"})
    return OpenClipEncoder(
        name=f"{weights.model}@{provenance.weights_sha256[:12]}",
        identity=sha256_json(facts),
        provenance=provenance,
        model=model.eval(),
        transform=transform,
        tokenizer=_tokenizer(weights.model),
        device=device,
        decode_threads=decode_threads,
    )


def _config(weights: Weights) -> dict[str, Any]:
    """The architecture by content, with the activation that the weights want."""
    config: dict[str, Any] = require("open_clip", "train").get_model_config(weights.model)
    return {**config, "quick_gelu": True} if weights.quick_gelu else config


def _create(weights: Weights, device: str) -> tuple[Any, Any]:
    open_clip, torch = require("open_clip", "train"), require("torch", "train")
    asked = {f"image_{name}": value for name, value in weights.preprocessing.items()}
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm and transformers, about themselves
            model, _, transform = open_clip.create_model_and_transforms(
                weights.model,
                pretrained=str(weights.path),
                precision="fp32",
                device=device,
                force_quick_gelu=weights.quick_gelu,
                **asked,
            )
    except pickle.UnpicklingError as error:
        raise EvaluationError(
            f"{weights.path} holds Python objects besides tensors, which are not loaded: a pickle "
            "can run code. Save its state_dict alone, best as .safetensors"
        ) from error
    except Exception as error:  # of open_clip, torch, safetensors, timm or transformers
        told = " ".join(str(error).split())[:400]
        raise EvaluationError(
            f"{weights.path} cannot be loaded into {weights.model}: {type(error).__name__}: {told}"
        ) from error
    return model, transform


def _tokenizer(model: str) -> Any:
    open_clip = require("open_clip", "train")
    try:
        return open_clip.get_tokenizer(model)
    except Exception as error:  # of transformers or the hub
        text = open_clip.get_model_config(model).get("text_cfg", {})
        told = " ".join(str(error).split())[:300]
        raise EvaluationError(
            f"{model} reads text with the tokenizer {text.get('hf_tokenizer_name', '?')!r} of the "
            f"Hugging Face hub, which cannot be loaded: {type(error).__name__}: {told}. Run once "
            "where the hub can be reached, and bring its cache (HF_HOME) here"
        ) from error


def _preprocessing(found: dict[str, Any]) -> Preprocessing:
    size = found["size"]
    height, width = size if isinstance(size, tuple | list) else (size, size)
    return Preprocessing(
        size=(height, width),
        mode=found["mode"],
        mean=tuple(map(float, found["mean"])),
        std=tuple(map(float, found["std"])),
        interpolation=found["interpolation"],
        resize_mode=found["resize_mode"],
        fill_color=found["fill_color"],
    )
