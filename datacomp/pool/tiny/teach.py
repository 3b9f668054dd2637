"""Features and CLIP scores of a tiny pool, from an encoder; or scores at random, for speed tests.

One encoder stands for both of DataComp's: `l14` is the encoder as it is, `b32` is the same encoder
shown the picture at 24 pixels, a weaker eye. Scores are cosines of the float16 features as stored,
so that anyone can compute them again from the npz.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.pool.encoder import Encoder
from datacomp.pool.samples import decode_image
from datacomp.pool.tiny.config import KINDS, TinyConfig
from datacomp.pool.tiny.plan import Row
from datacomp.pool.tiny.write import Drawn

WEAK_PIXELS = 24
BATCH = 250

# Mean and spread of the invented scores of a pool without pictures.
_INVENTED: Mapping[str, tuple[float, float]] = {
    "clean": (0.28, 0.04),
    "wrong_caption": (0.14, 0.04),
    "other_language": (0.20, 0.05),
    "junk": (0.15, 0.04),
    "bad_geometry": (0.22, 0.05),
    "text_shortcut": (0.27, 0.05),
    "near_duplicate": (0.27, 0.04),
}

Features = dict[str, npt.NDArray[Any]]


def features_of(encoder: Encoder, drawn: Sequence[Drawn]) -> Features:
    """`b32_img`, `b32_txt`, `l14_img`, `l14_txt`: (n, d) float16, not normalised."""
    pieces: dict[str, list[npt.NDArray[Any]]] = {"l14_img": [], "b32_img": [], "l14_txt": []}
    for start in range(0, len(drawn), BATCH):
        batch = drawn[start : start + BATCH]
        images = [decode_image(item.image) for item in batch]
        pieces["l14_img"].append(encoder.encode_image(images))
        pieces["b32_img"].append(encoder.encode_image([_weakened(image) for image in images]))
        pieces["l14_txt"].append(encoder.encode_text([item.row.caption for item in batch]))
    found = {key: np.concatenate(arrays).astype(np.float16) for key, arrays in pieces.items()}
    return {**found, "b32_txt": found["l14_txt"]}


def scores_of(features: Features) -> Features:
    """Both score columns, float32: the cosine of each row's picture and text."""
    return {
        f"clip_{arch}_similarity_score": _cosines(features[f"{arch}_img"], features[f"{arch}_txt"])
        for arch in ("b32", "l14")
    }


def invented_scores(config: TinyConfig, rows: Sequence[Row]) -> Features:
    """Scores drawn around a mean for each kind: they mean nothing and take no time."""
    rng = np.random.default_rng([config.seed, 1, rows[0].number])
    table = np.array([_INVENTED[kind] for kind in KINDS])
    order = {kind: place for place, kind in enumerate(KINDS)}
    mean, spread = table[[order[row.kind] for row in rows]].T
    l14 = mean + spread * rng.standard_normal(len(rows))
    b32 = l14 + 0.03 * rng.standard_normal(len(rows))
    return {
        "clip_b32_similarity_score": b32.astype(np.float32),
        "clip_l14_similarity_score": l14.astype(np.float32),
    }


def _weakened(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((WEAK_PIXELS, WEAK_PIXELS), Image.Resampling.BICUBIC)
    return small


def _cosines(images: npt.NDArray[Any], texts: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    a, b = images.astype(np.float64), texts.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(lengths, 1e-12), np.float32)
