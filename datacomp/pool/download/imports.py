"""img2dataset, imported the way that its worker processes need it. Never imported elsewhere.

Three things are settled here, in a process that only fetches pictures: albumentations asks the
network for a newer version when it is imported, unless told not to; several libraries warn about
what img2dataset calls; and webdataset and img2dataset import torch and ray where they are
installed, for parts that are not used here, which doubles time and memory.
"""

import os
import sys
import warnings

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
warnings.simplefilter("ignore")
for unused in ("torch", "ray"):
    sys.modules.setdefault(unused, None)  # type: ignore[arg-type]

from img2dataset.downloader import Downloader  # noqa: E402
from img2dataset.resizer import Resizer  # noqa: E402
from img2dataset.writer import (  # noqa: E402
    FilesSampleWriter,
    ParquetSampleWriter,
    TFRecordSampleWriter,
    WebDatasetSampleWriter,
)

WRITERS = {
    "webdataset": WebDatasetSampleWriter,
    "tfrecord": TFRecordSampleWriter,
    "parquet": ParquetSampleWriter,
    "files": FilesSampleWriter,
}

__all__ = ["WRITERS", "Downloader", "Resizer"]
