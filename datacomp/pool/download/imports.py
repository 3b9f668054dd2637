"""img2dataset, imported the way that its worker processes need it. Never imported elsewhere.

albumentations asks the network for a newer version when it is imported, unless told not to, and
several libraries warn about what img2dataset calls; both are settled here, in the process that
only fetches pictures.
"""

import os
import warnings

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
warnings.simplefilter("ignore")

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
