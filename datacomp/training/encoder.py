"""A trained run as an encoder: pictures and texts to vectors, with the preprocessing inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from datacomp.errors import require
from datacomp.pool.encoder import prepare_each
from datacomp.training.checkpoint import WEIGHTS, load_weights
from datacomp.training.model import build_model, build_tokenizer
from datacomp.training.recipe import Recipe
from datacomp.training.run import read_recipe, read_run, verify_checkpoint
from datacomp.training.transform import eval_pixels, to_model_input

BATCH = 256


@dataclass(frozen=True)
class ClipEncoder:
    """A CLIP in evaluation mode, float32; batches have a fixed size, so that results have too."""

    name: str
    identity: str
    recipe: Recipe
    model: Any
    tokenizer: Any
    device: str
    decode_threads: int = 1

    def encode_image(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """RGB pictures of any size to (n, embed_dim) float32, not normalised."""
        size = self.recipe.image_size
        prepared = prepare_each(lambda image: eval_pixels(image, size), images, self.decode_threads)
        return self._batches(
            np.stack(prepared), lambda x: self.model.encode_image(to_model_input(x))
        )

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Texts to (n, embed_dim) float32, not normalised."""
        return self._batches(self.tokenizer(list(texts)).numpy(), self.model.encode_text)

    def _batches(self, inputs: npt.NDArray[Any], tower: Any) -> npt.NDArray[np.float32]:
        torch = require("torch", "train")
        outputs = []
        with torch.inference_mode():
            for first in range(0, len(inputs), BATCH):
                batch = inputs[first : first + BATCH]
                n = len(batch)
                padding = [(0, BATCH - n)] + [(0, 0)] * (batch.ndim - 1)
                tensor = torch.from_numpy(np.pad(batch, padding)).to(self.device)
                outputs.append(tower(tensor)[:n].float().cpu().numpy())
        return np.concatenate(outputs)


def load_encoder(run: Path, device: str = "cpu", decode_threads: int = 1) -> ClipEncoder:
    """The encoder of a finished run; `TrainingError` if it is unfinished or not what it says."""
    record, recipe = read_run(run), read_recipe(run)
    verify_checkpoint(run, record)
    assert record.checkpoint_sha256 is not None
    return encoder_of(recipe, run / WEIGHTS, record.checkpoint_sha256, device, decode_threads)


def encoder_of(
    recipe: Recipe, weights: Path, sha256: str, device: str = "cpu", decode_threads: int = 1
) -> ClipEncoder:
    """The encoder that a file of weights, of that sha256, is by a recipe.

    `TrainingError` if the weights do not fit the recipe's model.
    """
    model = build_model(recipe)
    load_weights(weights, model)
    if device == "cpu":
        require("torch", "train").set_num_threads(1)
    return ClipEncoder(
        name=f"{recipe.scale}@{sha256[:12]}",
        identity=sha256,  # the file names the recipe, and so the transform
        recipe=recipe,
        model=model.to(device).eval(),
        tokenizer=build_tokenizer(recipe),
        device=device,
        decode_threads=decode_threads,
    )
