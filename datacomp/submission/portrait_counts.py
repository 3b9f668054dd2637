"""What a portrait counts of a pool's rows, batch by batch: features, languages, captions."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datacomp.pool import Part, Pool
from datacomp.submission.profile import (
    FEATURES,
    MAX_CAPTION,
    N_CAPTIONS,
    N_LANGUAGES,
    Histogram,
    Language,
)
from datacomp.submission.text import clean, printable
from datacomp.subset import UidArray

_COLUMNS = {
    "clip_b32": "clip_b32_similarity_score",
    "clip_l14": "clip_l14_similarity_score",
    "width": "original_width",
    "height": "original_height",
}
COLUMNS = ("uid", "text", *_COLUMNS.values())
"""What is read of a pool's part, where it is there."""
_STEP = "fasttext_language"
_UNKNOWN = "unknown"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass
class Sample:
    """The texts of the rows with the lowest draws, of all that were offered."""

    found: list[tuple[int, str]] = field(default_factory=list)

    def offer(self, draws: npt.NDArray[np.uint64], texts: pa.Array) -> None:
        few = np.argsort(draws, kind="stable")[:N_CAPTIONS]
        new = zip(draws[few].tolist(), texts.take(pa.array(few)).to_pylist(), strict=True)
        self.found = sorted([*self.found, *new])[:N_CAPTIONS]

    def texts(self) -> tuple[str, ...]:
        return tuple(plain_caption(text) for _, text in self.found)


@dataclass
class Tally:
    """Counts of rows, and of entries of the subset, by feature and bin."""

    seed: tuple[int, int]
    pool_bins: dict[str, Ints]
    kept_bins: dict[str, Ints]
    rows: int = 0
    kept: int = 0
    captions_kept: Sample = field(default_factory=Sample)
    captions_dropped: Sample = field(default_factory=Sample)

    @classmethod
    def of(cls, pool: Pool, subset_sha256: str) -> "Tally":
        known = set.intersection(*(set(part.columns) for part in pool.parts))
        names = [name for name, column in _COLUMNS.items() if column in known]
        names += ["aspect"] if {"width", "height"} <= set(names) else []
        names += ["characters", "words"] if "text" in known else []
        digest = bytes.fromhex(subset_sha256)
        seed = (int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big"))
        empty = {name: np.zeros(FEATURES[name].n_bins, np.int64) for name in names}
        return cls(seed, empty, {name: bins.copy() for name, bins in empty.items()})

    def add(self, batch: pa.RecordBatch, uids: UidArray, times: Ints) -> None:
        self.rows += len(times)
        self.kept += int(times.sum())
        for name in self.pool_bins:
            values = _values(name, batch)
            there = np.isfinite(values)
            edges = FEATURES[name].edges
            bins = np.clip(np.searchsorted(edges, values[there], "right") - 1, 0, len(edges) - 2)
            n = len(edges) - 1
            self.pool_bins[name] += np.bincount(bins, minlength=n)
            kept = np.bincount(bins, times[there].astype(np.float64), n)
            self.kept_bins[name] += kept.astype(np.int64)
        if "words" in self.pool_bins:
            self._draw(batch.column("text"), uids, times)

    def _draw(self, texts: pa.Array, uids: UidArray, times: Ints) -> None:
        draws = _mixed(_mixed(uids["f0"] ^ np.uint64(self.seed[0])) ^ uids["f1"])
        draws ^= np.uint64(self.seed[1])
        written = _numbers(pc.fill_null(pc.utf8_length(texts), 0)) > 0
        for sample, chosen in (
            (self.captions_kept, times > 0),
            (self.captions_dropped, times == 0),
        ):
            (rows,) = np.nonzero(chosen & written)
            sample.offer(draws[rows], texts.take(pa.array(rows)))

    def histograms(self) -> dict[str, Histogram]:
        return {
            name: Histogram(
                pool=tuple(pool.tolist()),
                kept=tuple(self.kept_bins[name].tolist()),
                pool_absent=self.rows - int(pool.sum()),
                kept_absent=self.kept - int(self.kept_bins[name].sum()),
            )
            for name, pool in self.pool_bins.items()
        }


def _values(name: str, batch: pa.RecordBatch) -> Floats:
    """The feature of every row, NaN where there is none."""
    if name == "aspect":
        width, height = (_values(side, batch) for side in ("width", "height"))
        ratio: Floats = np.full(len(width), np.nan)
        np.divide(width, height, out=ratio, where=height > 0)
        return ratio
    if name == "characters":
        return _numbers(pc.utf8_length(batch.column("text")))
    if name == "words":
        return _numbers(pc.count_substring_regex(batch.column("text"), r"\S+"))
    return _numbers(batch.column(_COLUMNS[name]))


def _numbers(column: pa.Array) -> Floats:
    filled = pc.fill_null(pc.cast(column, pa.float64()), float("nan"))
    return np.asarray(filled.to_numpy(zero_copy_only=False), np.float64)


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of splitmix64; a bijection."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def plain_caption(text: str) -> str:
    """A caption as a profile may hold it: one line, nothing that steers, not too long."""
    line = printable(" ".join(clean(text[: 4 * MAX_CAPTION]).split()))
    if len(line) > MAX_CAPTION:
        line = line[: MAX_CAPTION - 1].rstrip() + "…"
    return unicodedata.normalize("NFC", line) or "\ufffd"


class Languages:
    """Languages of captions, as the score store has them, counted."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._pool: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    @classmethod
    def of(cls, scores: Path | None, parts: Sequence[Part]) -> "Languages | None":
        """None if the store lacks a part, or has another one in its place."""
        files: dict[str, Path] = {}
        folder = scores / _STEP if scores else None
        for part in parts if folder and folder.is_dir() else ():
            for path in sorted(folder.glob(f"*/{part.name}.*.parquet")) if folder else ():
                if _rows_in(path) == part.n_rows:
                    files[part.name] = path
        return cls(files) if files and len(files) == len(parts) else None

    def of_part(self, part: Part) -> pa.ChunkedArray:
        return pq.read_table(self._files[part.name], columns=["language"]).column(0)

    def count(self, codes: pa.ChunkedArray, times: Ints) -> None:
        table = pa.table({"code": pc.fill_null(codes, _UNKNOWN), "kept": pa.array(times)})
        sums = table.group_by("code").aggregate([("kept", "count"), ("kept", "sum")])
        for row in sums.to_pylist():
            self._pool[row["code"]] += row["kept_count"]
            self._kept[row["code"]] += row["kept_sum"]

    def table(self) -> tuple[Language, ...]:
        """The most frequent languages of the pool, and all others together."""
        ranked = sorted(self._pool, key=lambda code: (-self._pool[code], code))
        named = [code for code in ranked if code != _UNKNOWN][:N_LANGUAGES]
        rest = [code for code in ranked if code not in named]
        found = [Language(code=c, pool=self._pool[c], kept=self._kept[c]) for c in named]
        if rest:
            pool, kept = (sum(count[c] for c in rest) for count in (self._pool, self._kept))
            found.append(Language(code="other", pool=pool, kept=kept))
        return tuple(found)


def _rows_in(path: Path) -> int | None:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return None
