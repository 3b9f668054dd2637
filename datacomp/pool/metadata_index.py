"""The index of the metadata: one record and the binary uids per file, and what is wrong with it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datacomp.errors import DatacompError
from datacomp.pool.features import feature_shapes
from datacomp.pool.folder import File, Folder
from datacomp.pool.manifest import PartRecord, Problem
from datacomp.pool.samples import INDEX, empty_uids, save_array
from datacomp.pool.schema import TEXT, UID, type_name
from datacomp.subset.uids import UidArray, argsort_uids, format_uids, parse_uids, starts_of_runs


@dataclass(frozen=True)
class MetadataIndex:
    """The readable parts in order of name; `unreadable` names the files that are lost."""

    parts: tuple[PartRecord, ...]
    unreadable: tuple[str, ...]
    uids: UidArray
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Scanned:
    record: PartRecord | None
    uids: UidArray
    problems: list[Problem]


def index_part(folder: Folder, file: File) -> _Scanned:
    """Read the uids and captions of one metadata file; keep the uids under `index/rows/`."""
    try:
        with folder.open(file.path) as source, pq.ParquetFile(source) as parquet:
            schema = parquet.schema_arrow
            columns = {field.name: type_name(field.type) for field in schema}
            if UID not in columns:
                detail = f"has no column 'uid', so its rows are lost. It has: {', '.join(columns)}"
                return _lost("missing_column", file, detail)
            wanted = [UID, TEXT] if TEXT in columns else [UID]
            table = parquet.read(columns=wanted)
        uids = parse_uids(table.column(UID))
    except (OSError, pa.ArrowException, DatacompError) as error:
        return _lost("unreadable_parquet", file, str(error))
    digest = hashlib.sha256(uids.tobytes()).hexdigest()
    path = f"{INDEX}/rows/{digest}.npy"
    if not folder.exists(path):
        with folder.create(path) as out:
            save_array(out, uids)
    record = PartRecord(file.stem, file.size, len(uids), columns, digest)
    return _Scanned(record, uids, _null_captions(file, table, uids))


def join_parts(
    folder: Folder, scanned: Sequence[tuple[File, _Scanned]], npz: Sequence[File]
) -> MetadataIndex:
    """Put the files together: compare their columns, look at their features, find repeated uids."""
    problems = [problem for _, part in scanned for problem in part.problems]
    readable = [(file, part.record) for file, part in scanned if part.record is not None]
    problems += _missing_columns(readable)
    by_stem = {file.stem: file for file in npz}
    records = []
    for file, record in readable:
        shapes, found = _features(folder, file, record, by_stem)
        problems += found
        records.append(replace(record, features=shapes))
    all_uids = [part.uids for _, part in scanned if part.record is not None]
    uids = np.concatenate([empty_uids(), *all_uids])
    problems += _duplicates([file.path for file, _ in readable], all_uids, uids)
    lost = tuple(file.stem for file, part in scanned if part.record is None)
    return MetadataIndex(tuple(records), lost, uids, tuple(problems))


def _lost(kind: str, file: File, detail: str) -> _Scanned:
    return _Scanned(None, empty_uids(), [Problem(kind, file.path, None, detail)])


def _null_captions(file: File, table: Any, uids: UidArray) -> list[Problem]:
    if TEXT not in table.column_names or not table.column(TEXT).null_count:
        return []
    rows = np.flatnonzero(pc.is_null(table.column(TEXT)).to_numpy())
    return [
        Problem("null_caption", file.path, uid, f"row {row:,} has no caption")
        for row, uid in zip(rows.tolist(), format_uids(uids[rows]), strict=True)
    ]


def _missing_columns(readable: Sequence[tuple[File, PartRecord]]) -> list[Problem]:
    wanted = {TEXT, *(name for _, record in readable for name in record.columns)}
    return [
        Problem(
            "missing_column",
            file.path,
            None,
            f"has no column {name!r}. It has: {', '.join(record.columns)}",
        )
        for file, record in readable
        for name in sorted(wanted - record.columns.keys())
    ]


def _features(
    folder: Folder, file: File, record: PartRecord, npz: dict[str, File]
) -> tuple[dict[str, list[int]], list[Problem]]:
    found = npz.get(file.stem)
    if found is None:
        detail = "there is no .npz beside it, though other metadata files have one"
        return {}, [Problem("missing_features", file.path, None, detail)] if npz else []
    try:
        shapes = feature_shapes(folder, found.path)
    except DatacompError as error:
        return {}, [Problem("unreadable_features", found.path, None, str(error))]
    return shapes, [
        Problem(
            "feature_rows",
            found.path,
            None,
            f"array {key!r} has {shape[0] if shape else 0:,} rows, "
            f"the metadata file has {record.n_rows:,}",
        )
        for key, shape in shapes.items()
        if not shape or shape[0] != record.n_rows
    ]


def _duplicates(paths: Sequence[str], parts: Sequence[UidArray], uids: UidArray) -> list[Problem]:
    if not len(uids):
        return []
    order = argsort_uids(uids)
    starts = np.flatnonzero(starts_of_runs(uids[order]))
    counts = np.diff(np.append(starts, len(uids)))
    bounds = np.cumsum([len(part) for part in parts])
    problems = []
    for run in np.flatnonzero(counts > 1):
        rows = np.sort(order[starts[run] : starts[run] + counts[run]])
        files = [paths[int(np.searchsorted(bounds, row, "right"))] for row in rows]
        uid = format_uids(uids[rows[:1]])[0]
        detail = f"occurs {counts[run]} times in the metadata: {', '.join(files)}"
        problems.append(Problem("duplicate_uid", files[0], uid, detail))
    return problems
