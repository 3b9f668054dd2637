"""The sketch of a subset file, as a row."""

from pathlib import Path

from datacomp.submission.sketch import Sketch
from datacomp.subset.blocks import READ_AT_ONCE, SubsetFile
from datacomp_server.submissions.models import SubsetSketch


def sketch_of(path: Path, submission_id: str, subset_sha256: str) -> SubsetSketch:
    """The row of a good subset file; reads all of it."""
    sketch = Sketch.of(SubsetFile(path).blocks(READ_AT_ONCE))
    return SubsetSketch(
        submission_id=submission_id,
        subset_sha256=subset_sha256,
        n_unique=sketch.n_unique,
        hashes=sketch.to_bytes(),
    )
