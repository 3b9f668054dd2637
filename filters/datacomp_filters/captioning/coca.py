"""Captions by any CoCa of open_clip (arXiv 2205.01917): an alternative to SIEVE's BLIP.

Sampled as SIEVE samples BLIP, but for the prompt, which CoCa was not trained to continue: a caption
has one to sixteen tokens, as SIEVE's have after the prompt. Pictures are prepared as the model
says. A caption's beginning is encoded anew at each token, for open_clip's decoder keeps no state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacomp.errors import FilterError, require
from datacomp.filtering import Asset, Host, runtime_field
from datacomp_filters.captioning.captioner import Captioner, Speaker
from datacomp_filters.captioning.model_files import ModelName, model_assets
from datacomp_filters.captioning.sampling import NextLogits, Sampling

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

COCA = (  # MIT
    "laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k"
    "@f895105fb18cf5ea3ba7a1172966e4cc0ad8d743"
)
FILES = ("open_clip_config.json", "open_clip_pytorch_model.bin")


@dataclass(frozen=True, kw_only=True)
class CocaCaptions(Captioner):
    """Captions by CoCa; `model` is a folder as open_clip saves it, or owner/name@revision."""

    name = "coca_captions"
    device = "either"
    rows_per_second = 0.3
    # Start and first word; start, sixteen tokens.
    sampling = Sampling(min_length=2, max_length=17)
    pictures_a_pass = 16

    model: str = runtime_field(default=COCA)

    def assets(self) -> tuple[Asset, ...]:
        """Weights and configuration."""
        name = ModelName("captioner_model", FILES[0], FILES)
        return model_assets("coca", name.folder(self.model))

    def speaker(self, host: Host) -> Speaker:
        """Load it."""
        file, *_ = self.assets()
        return _Coca(file.path.parent, host.device)


class _Coca(Speaker):
    def __init__(self, folder: Path, device: str) -> None:
        open_clip = require("open_clip", "train")
        try:
            model, _, prepare = open_clip.create_model_and_transforms(
                f"local-dir:{folder}", device=device
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FilterError(f"{folder} does not load as a CoCa of open_clip: {error}") from error
        if not isinstance(model, open_clip.CoCa):
            raise FilterError(
                f"{folder} holds a {type(model).__name__} of open_clip, which makes no captions; "
                "expected a CoCa"
            )
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        if not isinstance(tokenizer, open_clip.SimpleTokenizer):
            raise FilterError(
                f"{folder} has the tokenizer {type(tokenizer).__name__}; captions are spelled with "
                "open_clip's own (SimpleTokenizer) only"
            )
        self.model, self.prepare, self.tokenizer = model.eval(), prepare, tokenizer
        self.device = device
        self.prompt, self.end = (tokenizer.sot_token_id,), tokenizer.eot_token_id

    def look(self, images: "Sequence[Image]", copies: int) -> NextLogits:
        torch = require("torch", "train")
        pixels = torch.stack([self.prepare(image) for image in images]).to(self.device)
        seen = self.model(pixels)
        latent, states = (
            seen[key].repeat_interleave(copies, dim=0) for key in ("image_features", "image_embs")
        )

        def logits(tokens: "Tensor") -> "Tensor":
            out: dict[str, Any] = self.model(
                None,
                tokens.to(self.device),
                image_latent=latent,
                image_embs=states,
                output_labels=False,
            )
            last: Tensor = out["logits"][:, -1].float()
            return last

        return logits

    def spell(self, tokens: list[int]) -> str:
        text: str = self.tokenizer.decode(tokens)
        return text.strip()
