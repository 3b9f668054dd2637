"""The three sets that DataComp reads with `datasets`, into the layout that `dataset` reads.

Flickr, MSCOCO and WinoGAViL are dataset scripts on the hub, which are not run here. Read is the
hub's own Parquet conversion of them (branch `refs/convert/parquet`), by the columns that DataComp's
evaluation reads: `image` and `caption`; `cue`, `candidates`, `candidate_images`, `associations`.
Whatever else is found there, or another number of rows than the task has, is an `EvaluationError`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datacomp.errors import EvaluationError
from datacomp.evaluation.writer import EvaluationSet, lines, sample_key, write_set
from datacomp.pool.download.hub_files import HubFile
from datacomp.reports import TaskSpec

PARQUET_BRANCH = "refs/convert/parquet"
BATCH_ROWS = 64
BY_HAND = "Put the set there by hand, in the layout that docs/evaluation.md describes"
_TEST = re.compile(r"(^|/)test/[^/]+\.parquet$|(^|[/-])test(-\d+-of-\d+)?\.parquet$")
_SUFFIXES = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"))

Converter = Callable[[Sequence[Path], TaskSpec, Path], Path]
Sample = dict[str, bytes]


def split_files(repo: str, listed: Sequence[HubFile]) -> tuple[HubFile, ...]:
    """The Parquet files of the test split; `EvaluationError` if there are none."""
    files = tuple(file for file in listed if _TEST.search(file.path))
    if not files:
        raise EvaluationError(
            f"{repo} has no Parquet file of a test split on its branch {PARQUET_BRANCH}. {BY_HAND}"
        )
    return files


def convert_retrieval(paths: Sequence[Path], spec: TaskSpec, root: Path) -> Path:
    """Write pictures with their captions below `root`; gives the set's folder."""

    def samples() -> Iterator[Sample]:
        for row in _rows(paths, spec, ("image", "caption")):
            captions = row["caption"]
            if not isinstance(captions, list) or not all(isinstance(c, str) for c in captions):
                raise EvaluationError(f"{spec.source}: a caption is {type(captions).__name__}")
            # One line a caption; tokenizers take a line break for a space.
            yield _picture(spec, row["image"]) | {
                "txt": lines(" ".join(caption.splitlines()) for caption in captions).encode()
            }

    return write_set(
        root, EvaluationSet(spec.dataset, {"dataset_type.txt": "retrieval\n"}, samples())
    )


def convert_association(paths: Sequence[Path], spec: TaskSpec, root: Path) -> Path:
    """Write each picture once, and the instances; gives the set's folder."""
    instances: list[dict[str, Any]] = []

    def samples() -> Iterator[Sample]:
        keys: dict[tuple[bytes, int], str] = {}
        columns = ("cue", "candidates", "candidate_images", "associations")
        for row in _rows(paths, spec, columns):
            if len(row["candidates"]) != len(row["candidate_images"]):
                raise EvaluationError(
                    f"{spec.source}: candidates and their pictures differ in number"
                )
            mine: list[str] = []
            for image in row["candidate_images"]:
                picture = _picture(spec, image)
                digest = hashlib.sha256(*picture.values()).digest()
                # A picture that an instance shows twice is two candidates.
                again = next(n for n in range(len(mine) + 1) if keys.get((digest, n)) not in mine)
                if (digest, again) not in keys:
                    keys[digest, again] = sample_key(len(keys))
                    yield picture
                mine.append(keys[digest, again])
            right = set(row["associations"])
            instances.append(
                {
                    "cue": row["cue"],
                    "candidates": mine,
                    "associations": [
                        key
                        for key, word in zip(mine, row["candidates"], strict=True)
                        if word in right
                    ],
                }
            )

    files = {"dataset_type.txt": "association\n"}
    folder = write_set(root, EvaluationSet(spec.dataset, files, samples()))
    (folder / "associations.jsonl").write_text(lines(map(json.dumps, instances)))
    return folder


CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {"retrieval": convert_retrieval, "association": convert_association}
)


def _rows(
    paths: Sequence[Path], spec: TaskSpec, columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The rows of all files, as many as the task has."""
    n = 0
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                lacking = set(columns) - set(file.schema_arrow.names)
                if lacking:
                    raise EvaluationError(
                        f"{path.name} of {spec.source} has no column {min(lacking)!r}; it has: "
                        f"{', '.join(file.schema_arrow.names)}. {BY_HAND}"
                    )
                for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                    n += len(batch)
                    yield from batch.to_pylist()
        except pa.ArrowException as error:
            raise EvaluationError(
                f"{path.name} of {spec.source} cannot be read: {error}"
            ) from error
    if n != spec.n:
        raise EvaluationError(
            f"{spec.source} has {n:,} rows of a test split in {PARQUET_BRANCH}, task {spec.key!r} "
            f"has {spec.n:,}. {BY_HAND}"
        )


def _picture(spec: TaskSpec, image: Any) -> Sample:
    """The encoded picture of a column that `datasets` calls an image: {bytes, path}."""
    data = image.get("bytes") if isinstance(image, dict) else None
    for magic, suffix in _SUFFIXES:
        if isinstance(data, bytes) and data.startswith(magic):
            return {suffix: data}
    raise EvaluationError(
        f"{spec.source}: a picture is no JPEG, PNG or WebP, as its Parquet conversion should hold. "
        f"{BY_HAND}"
    )
