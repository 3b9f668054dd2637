"""The scales that have a board, in order of compute."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """One sentence for visitors, and the suite whose average the board ranks by."""

    description: str
    suite: str


_PAIRS = "DataComp's {}: a pool of {} pairs, as many samples seen, {}."

SCALES = {
    "smoke": Scale("A few steps on a few samples, to see that every part works.", "tiny"),
    "tiny": Scale("12,000 pictures of emoji; a model in about a minute on one CPU core.", "tiny"),
    "small": Scale(_PAIRS.format("small", "12.8M", "ViT-B/32"), "datacomp38"),
    "medium": Scale(_PAIRS.format("medium", "128M", "ViT-B/32"), "datacomp38"),
    "large": Scale(_PAIRS.format("large", "1.28B", "ViT-B/16"), "datacomp38"),
    "xlarge": Scale(_PAIRS.format("xlarge", "12.8B", "ViT-L/14"), "datacomp38"),
}
