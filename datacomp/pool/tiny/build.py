"""Build the tiny pool: real pictures and words with planted noise, in DataComp's files.

    build_tiny(Path("pools/tiny"), TinyConfig(), encoder)

It is built beside its place and moved there when it is whole. Building again with the same
parameters finds it there and does nothing.
"""

import hashlib
import os
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from datacomp.errors import PoolError
from datacomp.pool.encoder import Encoder
from datacomp.pool.folder import Folder
from datacomp.pool.indexing import StartProgress, index_pool, silent
from datacomp.pool.manifest import Manifest, read_manifest
from datacomp.pool.tiny import teach
from datacomp.pool.tiny.config import VERSION, TinyConfig
from datacomp.pool.tiny.draw import Painter, encode_jpeg
from datacomp.pool.tiny.pictures import SOURCES, pictures
from datacomp.pool.tiny.plan import Plan, Row, make_plan
from datacomp.pool.tiny.write import Drawn, write_features, write_metadata, write_shard
from datacomp.progress import Progress

ENCODER = "encoder"
"""Folder in a pool of the run whose model computed its features."""

_REMEDY = "Choose another place, or remove it first."


def build_tiny(
    out: Path,
    config: TinyConfig,
    encoder: Encoder | None = None,
    progress: StartProgress = silent,
    *,
    encoder_run: Path | None = None,
) -> Manifest:
    """Build and index a tiny pool at `out`; the same parameters give the same bytes.

    Without an encoder there are no features and no scores (with `config.images`), as the teacher's
    own pool needs it. `encoder_run` is the run that the encoder was loaded from, if the pool shall
    bring it along: it is copied to `encoder/`. Raises `PoolError` if something else is at `out`.
    """
    origin = _origin(config, encoder)
    existing = require_place(out, config)
    if existing is not None and existing.origin == origin:
        return existing
    if existing is not None:
        raise PoolError(f"{out} holds the same pool with other scores. {_REMEDY}")
    work = out.with_name(f".{out.name}.building")
    shutil.rmtree(work, ignore_errors=True)
    plan = make_plan(config, pictures(config.split))
    bounds = config.part_bounds().tolist()
    shard = 0
    with progress("building the tiny pool", config.rows, unit="rows") as bar:
        for part, (start, stop) in enumerate(pairwise(bounds)):
            name = hashlib.sha256(f"{config.build_id} part {part}".encode()).hexdigest()[:32]
            if config.images:
                shard = _build_part(work, name, plan, range(start, stop), shard, encoder, bar)
            else:
                _build_rows(work, name, plan, range(start, stop), bar)
    if encoder_run is not None:
        # Its log tells how fast it was trained, which no two builds have in common.
        shutil.copytree(encoder_run, work / ENCODER, ignore=shutil.ignore_patterns("*.jsonl"))
    sources = [dict(source) for source in SOURCES]
    manifest = index_pool(str(work), sources=sources, origin=origin, progress=progress).manifest
    if manifest.n_problems:
        raise AssertionError(f"the builder made a damaged pool: {manifest.problems[0]}")
    os.replace(work, out)
    return manifest


def require_place(out: Path, config: TinyConfig) -> Manifest | None:
    """The manifest of a pool of this configuration that stands at `out`, None if nothing does.

    Asked before a teacher is trained for nothing. Raises `PoolError` if something else is there.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    manifest = read_manifest(Folder(str(out))) if out.is_dir() else None
    if manifest is None:
        raise PoolError(f"{out} exists and is no tiny pool. {_REMEDY}")
    known = {**_origin(config, None), "scores": manifest.origin.get("scores")}
    if differing := sorted(key for key in known if manifest.origin.get(key) != known[key]):
        raise PoolError(f"{out} holds a pool with other {', '.join(differing)}. {_REMEDY}")
    return manifest


def _build_part(
    out: Path,
    name: str,
    plan: Plan,
    numbers: range,
    first_shard: int,
    encoder: Encoder | None,
    bar: Progress,
) -> int:
    """Write one metadata file, its features and its shards; the number of the next shard."""
    rows: list[Row] = []
    sha256: list[str] = []
    features: list[teach.Features] = []
    painter, shard = Painter(plan), first_shard
    for start in range(numbers.start, numbers.stop, plan.config.shard_rows):
        stop = min(start + plan.config.shard_rows, numbers.stop)
        drawn = [_draw(painter, number) for number in range(start, stop)]
        write_shard(out, shard, drawn)
        rows += [item.row for item in drawn]
        sha256 += [item.sha256 for item in drawn]
        if encoder is not None:
            features.append(teach.features_of(encoder, drawn))
        shard += 1
        bar.advance(len(drawn))
    scores: teach.Features = {}
    if features:
        joined = {key: np.concatenate([piece[key] for piece in features]) for key in features[0]}
        write_features(out, name, joined)
        scores = teach.scores_of(joined)
    labels = [plan.label(row) for row in rows] if plan.config.labels else ()
    write_metadata(out, name, rows, sha256, scores, labels)
    return shard


def _build_rows(out: Path, name: str, plan: Plan, numbers: range, bar: Progress) -> None:
    """Write one metadata file of a pool without pictures."""
    rows: list[Row] = []
    for start in range(numbers.start, numbers.stop, plan.config.shard_rows):
        stop = min(start + plan.config.shard_rows, numbers.stop)
        rows += [plan.row(number) for number in range(start, stop)]
        bar.advance(stop - start)
    sha256 = [hashlib.sha256(row.uid.encode()).hexdigest() for row in rows]
    labels = [plan.label(row) for row in rows] if plan.config.labels else ()
    write_metadata(out, name, rows, sha256, teach.invented_scores(plan.config, rows), labels)


def _draw(painter: Painter, number: int) -> Drawn:
    row = painter.plan.row(number)
    image = painter.draw(row)
    return Drawn(row, encode_jpeg(image, row), *image.size)


def _origin(config: TinyConfig, encoder: Encoder | None) -> dict[str, Any]:
    scores = "none"
    if not config.images:
        scores = "invented: normal around a mean for each kind, for speed tests"
    elif encoder is not None:
        scores = f"l14: {encoder.name}; b32: the same, shown {teach.WEAK_PIXELS}-pixel pictures"
    return {"builder": "tiny", "version": VERSION, "scores": scores, **config.to_json()}
