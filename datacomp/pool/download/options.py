"""What may be chosen about a download. The names and defaults are the original's, where it had one.

`ImageOptions` decide what the shards hold and are recorded with the pool; `CrawlOptions` decide
only how it is fetched and may change from one start to the next.
"""

from dataclasses import dataclass

from datacomp.errors import UsageError
from datacomp.pool.download.reach import Reach

RESIZE_MODES = ("no", "border", "keep_ratio", "keep_ratio_largest", "center_crop")
ENCODE_FORMATS = ("jpg", "png", "webp")
OUTPUT_FORMATS = ("webdataset", "tfrecord", "parquet", "files")
FACES = "face_bboxes"


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What the shards hold; `image_size` in pixels. The same for all shards of a pool."""

    image_size: int = 512
    resize_mode: str = "keep_ratio_largest"
    resize_only_if_bigger: bool = True
    encode_format: str = "jpg"
    output_format: str = "webdataset"
    blur_faces: bool = True
    shard_rows: int = 10_000

    def __post_init__(self) -> None:
        for name, value, known in (
            ("resize mode", self.resize_mode, RESIZE_MODES),
            ("encode format", self.encode_format, ENCODE_FORMATS),
            ("output format", self.output_format, OUTPUT_FORMATS),
        ):
            if value not in known:
                raise UsageError(f"no {name} {value!r}; there are: {', '.join(known)}")
        # img2dataset numbers a sample with as many digits as log10 of this, rounded up.
        if self.shard_rows < 2:
            raise UsageError(f"shard rows must be 2 or more, got {self.shard_rows}")

    @property
    def encode_quality(self) -> int:
        """img2dataset's 95 for jpg and webp; png wants a compression level from 0 to 9."""
        return 6 if self.encode_format == "png" else 95


@dataclass(frozen=True, kw_only=True)
class CrawlOptions:
    """How the web is asked: processes of `threads` threads each, `retries` after the first try.

    `reach` limits what addresses of strangers may lead to; None: they are one's own choice.
    `wandb_project` None: nothing is sent to Weights & Biases, and nothing of it is loaded.
    """

    processes: int = 16
    threads: int = 128
    retries: int = 2
    timeout_seconds: int = 10
    reach: Reach | None = None
    wandb_project: str | None = None
