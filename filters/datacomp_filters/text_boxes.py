"""Where there is writing in a picture, found by rapidocr's detector, whose model comes with it.

The detector is PaddleOCR's DBNet (arXiv 1911.08947), small model of PP-OCRv6; nothing is read, only
located. Sizes: a longer side above `side` is brought down to it; a smaller picture is enlarged
`max_upscale` times at most, and not past `side`, since letters of a few pixels are not found. Then
both sides are rounded to multiples of 32, which the network needs. So a picture of 72 x 72 is
looked at as 128 x 128, one of 640 x 480 as 512 x 384.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from datacomp.errors import FilterError, require
from datacomp.filtering import Asset, Host, ImageFunction, ImageStep
from datacomp.filtering.assets import FoundAsset

BOXES = "text_boxes"
MODEL = "PP-OCRv6_det_small.onnx"
EXTRA = "ocr"
# rapidocr's defaults for this model, pinned: an upgrade of it must not change results.
PIXEL_THRESHOLD, UNCLIP_RATIO, MOST_REGIONS = 0.3, 1.6, 1000
_MULTIPLE = 32

Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TextBoxes(ImageStep):
    """Regions of writing: lists of 8 float32, the corners x1, y1, ... x4, y4 clockwise in pixels.

    Empty where no text is found, null without a picture. `box_threshold` is the least mean
    probability in a region; 0.5 is rapidocr's default.
    """

    name = "text_boxes"
    rows_per_second = 30.0

    side: int = 512
    max_upscale: float = 2.0
    box_threshold: float = 0.5

    def outputs(self) -> pa.Schema:
        """The regions."""
        return pa.schema([(BOXES, pa.list_(pa.list_(pa.float32())))])

    def assets(self) -> tuple[Asset, ...]:
        """The detector."""
        return (FoundAsset("text detector", detector_file()),)

    def open(self, host: Host) -> ImageFunction:
        """Load the detector, on one thread of the CPU."""
        detect, schema = load_detector(self.box_threshold), self.outputs()

        def compute(batch: pa.RecordBatch, images: Sequence[Image.Image | None]) -> pa.RecordBatch:
            found = [None if image is None else self._boxes(detect, image) for image in images]
            return pa.record_batch([pa.array(found, schema.field(BOXES).type)], schema=schema)

        return compute

    def detector_size(self, width: int, height: int) -> tuple[int, int]:
        """The size at which a picture is looked at."""
        scale = min(self.max_upscale, self.side / max(width, height))
        first, second = (
            max(1, round(length * scale / _MULTIPLE)) * _MULTIPLE for length in (width, height)
        )
        return first, second

    def _boxes(self, detect: Any, image: Image.Image) -> list[list[float]]:
        width, height = self.detector_size(*image.size)
        resized = image.resize((width, height), Image.Resampling.BICUBIC)
        # The detector expects blue first, as OpenCV reads pictures.
        found = detect(np.ascontiguousarray(np.asarray(resized)[:, :, ::-1])).boxes
        if found is None:
            return []
        scale = np.array([image.width / width, image.height / height])
        boxes = np.asarray(found, np.float64) * scale
        return boxes.reshape(-1, 8).astype(np.float32).tolist()  # type: ignore[no-any-return]


def detector_file() -> Path:
    """The detector's model inside the rapidocr package, found without importing it."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        require("rapidocr", EXTRA)
        raise AssertionError("rapidocr is a package")
    path = Path(spec.submodule_search_locations[0]) / "models" / MODEL
    if not path.is_file():
        raise FilterError(
            f"the installed rapidocr does not carry {MODEL}: no {path}. "
            f"Run: pip install 'datacomp[{EXTRA}]'"
        )
    return path


def load_detector(box_threshold: float) -> Any:
    """rapidocr without recogniser: an array (h, w, 3) of uint8, blue first, to its regions.

    It logs nothing and, given its model's path, never asks the network.
    """
    require("onnxruntime", EXTRA)
    return require("rapidocr", EXTRA).RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.use_rec": False,
            "Global.use_preprocess_img": False,
            "Det.model_path": str(detector_file()),
            "Det.limit_type": "min",
            "Det.limit_side_len": _MULTIPLE,
            "Det.thresh": PIXEL_THRESHOLD,
            "Det.box_thresh": box_threshold,
            "Det.unclip_ratio": UNCLIP_RATIO,
            "Det.max_candidates": MOST_REGIONS,
            "Det.use_dilation": True,
            "Det.score_mode": "fast",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
