"""SIEVE's captioner: the decoder of BLIP (arXiv 2201.12086), through transformers.

Prompt and sampling are those of SIEVE's code, lengths counting the prompt's four tokens; pictures
are prepared as CLIP's, not as BLIP's, at 224 pixels, as there. Departures: SIEVE's weights are BLIP
ViT-B trained on 14M pairs, which the hub does not carry; the default is the released captioning
model, trained on 129M pairs and tuned on COCO at 384 pixels, its position embeddings resized to
`pixels` (bicubic, as BLIP's code resizes them). Weights converted by transformers' script may be
given instead. SIEVE draws without a seed; here each row draws by its uid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datacomp.errors import FilterError, UsageError, require
from datacomp.filtering import Asset, Host, runtime_field
from datacomp.training.transform import eval_pixels, to_model_input
from datacomp_filters.captioning.captioner import Captioner, Speaker
from datacomp_filters.captioning.model_files import EXTRA, ModelName, model_assets, quiet
from datacomp_filters.captioning.sampling import NextLogits, Sampling

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PROMPT = "a picture of "
PIXELS = 224
BLIP = (
    "Salesforce/blip-image-captioning-base@82a37760796d32b1411fe092ab5d4e227313294b"  # BSD 3-Clause
)
FILES = ("config.json", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


@dataclass(frozen=True, kw_only=True)
class BlipCaptions(Captioner):
    """Captions by BLIP; `model` is a folder as transformers saves it, or owner/name@revision."""

    name = "blip_captions"
    device = "either"
    rows_per_second = 0.5
    sampling = Sampling()
    pictures_a_pass = 16

    pixels: int = PIXELS
    model: str = runtime_field(default=BLIP)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pixels < 16:
            raise UsageError(f"pixels is the side of the pictures, 16 or more, got {self.pixels}")

    def assets(self) -> tuple[Asset, ...]:
        """Weights, configuration and vocabulary."""
        name = ModelName("captioner_model", FILES[0], FILES)
        return model_assets("blip", name.folder(self.model))

    def speaker(self, host: Host) -> Speaker:
        """Load it."""
        file, *_ = self.assets()
        return _Blip(file.path.parent, self.pixels, host.device)


class _Blip(Speaker):
    def __init__(self, folder: Path, pixels: int, device: str) -> None:
        transformers = require("transformers", EXTRA)
        try:
            with quiet():
                model = transformers.BlipForConditionalGeneration.from_pretrained(
                    folder, local_files_only=True
                )
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise FilterError(f"{folder} does not load as a BLIP captioner: {error}") from error
        _resize_positions(model.vision_model.embeddings, pixels)
        text = model.config.text_config
        self.model, self.tokenizer, self.pixels = model.float().to(device).eval(), tokenizer, pixels
        self.prompt = (text.bos_token_id, *tokenizer(PROMPT, add_special_tokens=False).input_ids)
        self.end = text.sep_token_id

    def look(self, images: "Sequence[Image]", copies: int) -> NextLogits:
        torch = require("torch", "train")
        pixels = np.stack([eval_pixels(image, self.pixels) for image in images])
        device = self.model.device
        seen = to_model_input(torch.from_numpy(pixels).to(device))
        states = self.model.vision_model(pixel_values=seen)[0].repeat_interleave(copies, dim=0)
        past: Any = None

        def logits(tokens: "Tensor") -> "Tensor":
            nonlocal past
            out = self.model.text_decoder(
                input_ids=(tokens if past is None else tokens[:, -1:]).to(device),
                encoder_hidden_states=states,
                past_key_values=past,
                use_cache=True,
            )
            past = out.past_key_values
            last: Tensor = out.logits[:, -1].float()
            return last

        return logits

    def spell(self, tokens: list[int]) -> str:
        # As in SIEVE: the characters of the prompt are cut off the whole.
        whole: str = self.tokenizer.decode(
            [*self.prompt[1:], *tokens],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=True,
        )
        return whole[len(PROMPT) :]


def _resize_positions(embeddings: Any, pixels: int) -> None:
    """Fit the position embeddings, (1, 1 + side * side, d), to pictures of `pixels` a side."""
    torch = require("torch", "train")
    first, grid = embeddings.position_embedding.detach().split(
        [1, embeddings.position_embedding.shape[1] - 1], dim=1
    )
    old, new = round(grid.shape[1] ** 0.5), pixels // embeddings.patch_size
    square = grid.reshape(1, old, old, -1).permute(0, 3, 1, 2)
    square = torch.nn.functional.interpolate(square, (new, new), mode="bicubic")
    resized = torch.cat([first, square.flatten(2).transpose(1, 2)], dim=1)
    embeddings.position_embedding = torch.nn.Parameter(resized, requires_grad=False)
    embeddings.image_size = pixels
