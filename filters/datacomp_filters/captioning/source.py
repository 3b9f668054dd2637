"""Which captioner speaks, as the parameters of a filter and of its steps say."""

from dataclasses import dataclass
from typing import Literal

from datacomp.errors import UsageError
from datacomp.filtering import runtime_field
from datacomp_filters.captioning.blip import BLIP, PIXELS, BlipCaptions
from datacomp_filters.captioning.captioner import CAPTIONS_A_PICTURE, Captioner
from datacomp_filters.captioning.coca import COCA, CocaCaptions
from datacomp_filters.captioning.small_captioner import STEPS, SmallCaptions


@dataclass(frozen=True, kw_only=True)
class Captioned:
    """Base of what works with captions.

    `captioner_model` names BLIP's or CoCa's weights, `pixels` the side of BLIP's pictures. The
    small captioner learns from the pool folder `trusted` for `captioner_steps` steps.
    """

    captioner: Literal["blip", "coca", "small"] = "blip"
    k: int = CAPTIONS_A_PICTURE
    seed: int = 0
    pixels: int | None = None
    captioner_steps: int | None = None
    captioner_model: str | None = runtime_field(default=None)
    trusted: str | None = runtime_field(default=None)

    def demand_captioner(self) -> None:
        """`UsageError` unless the parameters fit the captioner."""
        is_small = self.captioner == "small"
        if self.pixels is not None and self.captioner != "blip":
            raise UsageError("pixels is the side of the pictures of captioner=blip alone")
        if self.captioner_model is not None and is_small:
            raise UsageError(
                "captioner=small takes no captioner_model: it learns from trusted=POOL"
            )
        if (self.trusted is not None) != is_small:
            raise UsageError("trusted=POOL is what captioner=small learns from: give both or none")
        if self.captioner_steps is not None and not is_small:
            raise UsageError("captioner_steps is how long captioner=small is trained")
        self.captions()

    def captioner_rule(self) -> str:
        """The captioner in words."""
        if self.captioner == "small":
            return f"Captioner: a small one, trained on {self.trusted}"
        default = BLIP if self.captioner == "blip" else COCA
        return f"Captioner: {self.captioner}, {self.captioner_model or default}"

    def captions(self) -> Captioner:
        """The step that makes the captions; `UsageError` if a number is impossible."""
        if self.captioner == "blip":
            pixels = PIXELS if self.pixels is None else self.pixels
            model = self.captioner_model or BLIP
            return BlipCaptions(k=self.k, seed=self.seed, pixels=pixels, model=model)
        if self.captioner == "coca":
            return CocaCaptions(k=self.k, seed=self.seed, model=self.captioner_model or COCA)
        steps = STEPS if self.captioner_steps is None else self.captioner_steps
        return SmallCaptions(k=self.k, seed=self.seed, steps=steps, trusted=self.trusted or "")
