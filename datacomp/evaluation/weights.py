"""Where the weights of an open_clip model are: a tag's, from the hub or its cache, or a file's.

A tag also says how its weights were trained: pictures' mean, standard deviation, interpolation and
resize mode, and whether the activation is QuickGELU. A file says nothing: it takes open_clip's
defaults for the architecture, unless a tag is named beside it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datacomp.errors import EvaluationError, UnknownNameError, UsageError, require

_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors", ".npz")
_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class Weights:
    """A model's weights: the file, its tag or name, and what the tag says of their use."""

    model: str
    pretrained: str
    path: Path
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    quick_gelu: bool = False


def find_weights(model: str, pretrained: str | None, file: Path | None = None) -> Weights:
    """The weights that `pretrained` names, a tag of `model` or a file; fetched if need be.

    `file` takes the place of what the tag would fetch. `EvaluationError` if they cannot be had.
    """
    open_clip = require("open_clip", "train")
    if model not in open_clip.list_models():
        raise UnknownNameError("open_clip model", model, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(model)
    if pretrained is None:
        known = (
            f"a tag ({', '.join(tags[:8])}{', ...' if len(tags) > 8 else ''}) or " if tags else ""
        )
        raise UsageError(f"--model {model} needs --pretrained: {known}a file of weights")
    tag = open_clip.get_pretrained_cfg(model, pretrained)
    if not tag:
        return Weights(model, Path(pretrained).name, _named_file(model, pretrained, file, tags))
    return Weights(
        model,
        pretrained,
        _existing(file) if file else _fetch(model, pretrained, tag),
        {name: tag[name] for name in _PREPROCESSING if name in tag},
        bool(tag.get("quick_gelu")),
    )


def _named_file(model: str, pretrained: str, file: Path | None, tags: list[str]) -> Path:
    path = Path(pretrained)
    if not path.is_file() and path.suffix not in _SUFFIXES and os.sep not in pretrained:
        raise UnknownNameError(f"file of weights, or tag of {model},", pretrained, tags)
    if file is not None:
        raise UsageError(
            f"--weights replaces the file of a tag, but --pretrained {pretrained} is no tag of "
            f"{model}; give one of the two files"
        )
    return _existing(path)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise EvaluationError(f"there is no file of weights at {path}")
    return path


def _fetch(model: str, tag: str, config: Mapping[str, Any]) -> Path:
    pretrained = require("open_clip.pretrained", "train")
    try:
        return Path(pretrained.download_pretrained(config))
    except Exception as error:  # of whatever library open_clip fetches with
        source, cache = _source(config)
        told = " ".join(str(error).split())[:300]
        raise EvaluationError(
            f"cannot get the weights of {model} {tag} from {source} ({type(error).__name__}: "
            f"{told}), and they are not in the cache {cache}. Fetch the file where that can be "
            f"reached, bring it here and add --weights FILE; everything else stays"
        ) from error


def _source(config: Mapping[str, Any]) -> tuple[str, str]:
    """Where open_clip looks for a tag's file, and where it keeps it."""
    if not config.get("hf_hub"):
        return str(config.get("url")), "~/.cache/clip"
    constants = require("huggingface_hub.constants", "train")
    endpoint = os.environ.get("HF_ENDPOINT") or constants.ENDPOINT
    return f"{endpoint}/{config['hf_hub'].rstrip('/')}", str(constants.HF_HUB_CACHE)
