"""Portraits of subsets of small pools, counted by hand; and of hostile captions."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import SubsetError
from datacomp.pool import index_pool, open_pool
from datacomp.submission.portrait import portray
from datacomp.submission.portrait_counts import plain_caption
from datacomp.submission.profile import FEATURES, REPEATS, Expected, Profile, check_profile
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.subset.uids import format_uids


def uids(*numbers):
    array = np.zeros(len(numbers), UID_DTYPE)
    array["f1"] = numbers
    return array


@pytest.fixture
def make(tmp_path):
    """`make(kept, *parts)`: the pool of these parts, a list of rows each, and a subset file."""

    def made(kept, *parts):
        (tmp_path / "pool" / "metadata").mkdir(parents=True)
        first = 0
        for name, part in zip("abcdef", parts, strict=False):
            numbers = range(first, first + len(part))
            columns = {
                "uid": format_uids(uids(*numbers)),
                "text": [row.get("text") for row in part],
            }
            for key in ("original_width", "original_height"):
                columns[key] = pa.array([row.get(key) for row in part], pa.int64())
            score = [row.get("score") for row in part]
            columns["clip_l14_similarity_score"] = pa.array(score, pa.float32())
            pq.write_table(pa.table(columns), tmp_path / "pool" / "metadata" / f"{name}.parquet")
            first += len(part)
        index_pool(str(tmp_path / "pool"))
        write_subset(Subset.from_uids(uids(*kept)), tmp_path / "mine.npy", {})
        return open_pool(str(tmp_path / "pool")), tmp_path / "mine.npy"

    return made


def bins(portrait, name, side="pool"):
    """Bin by its lower edge, and its count, where there is one."""
    counts = getattr(portrait.histograms[name], side)
    return {FEATURES[name].edges[i]: n for i, n in enumerate(counts) if n}


def test_counts_are_of_rows_and_of_entries(make):
    part = [
        {"text": "one", "score": 0.301, "original_width": 64, "original_height": 32},
        {"text": "one two", "score": None, "original_width": 99999, "original_height": 32},
        {"text": None, "score": float("nan"), "original_width": 1, "original_height": 0},
        {"text": "a b c", "score": -5.0},
    ]
    pool, subset = make([0, 0, 0, 2], part)

    portrait = portray(pool, subset)

    assert bins(portrait, "words") == {1: 1, 2: 1, 3: 1}
    assert bins(portrait, "words", "kept") == {1: 3}
    assert portrait.histograms["words"].kept_absent == 1
    assert bins(portrait, "clip_l14") == {0.3: 1, -0.6: 1}
    assert portrait.histograms["clip_l14"].pool_absent == 2
    assert bins(portrait, "width") == {64: 1, FEATURES["width"].edges[-2]: 1, 32: 1}
    assert bins(portrait, "aspect") == {2.0: 1, FEATURES["aspect"].edges[-2]: 1}
    assert "clip_b32" not in portrait.histograms
    assert portrait.repeats[:3] == (1, 0, 1)
    assert portrait.kept_captions == ("one",)
    assert set(portrait.dropped_captions) == {"one two", "a b c"}
    expected = Expected({"n": 4, "n_unique": 2, "pool_rows": 4})
    value = json.loads(
        json.dumps(Profile(schema="datacomp-profile/1", portrait=portrait).as_json())
    )
    assert check_profile(value, expected) == []


def test_many_repeats_across_blocks(make, monkeypatch):
    monkeypatch.setattr("datacomp.submission.portrait.READ_AT_ONCE", 7)
    rows = [{"text": f"caption {i}"} for i in range(50)]
    kept = [i for i in range(50) for _ in range(i % 12)]
    pool, subset = make(kept, rows[:20], rows[20:])

    portrait = portray(pool, subset)

    expected = np.bincount(
        np.searchsorted(REPEATS, [i % 12 for i in range(50) if i % 12], "right") - 1
    )
    assert portrait.repeats[: len(expected)] == tuple(expected)
    assert (portrait.n, portrait.kept_read) == (len(kept), len(kept))
    assert portrait.n_unique == sum(expected)


def test_the_same_pool_is_read_the_same_for_every_subset(make):
    rows = [{"text": f"caption {i}"} for i in range(40)]
    pool, subset = make([1, 2, 39], rows[:10], rows[10:20], rows[20:30], rows[30:])

    few, again = (portray(pool, subset, most_rows=15) for _ in range(2))

    assert few == again
    assert (few.parts, few.parts_read, few.rows_read) == (4, 2, 20)
    assert few.kept_read <= 3
    assert few.n == 3


def test_a_subset_of_another_pool_is_told(make):
    pool, subset = make([0, 77], [{"text": "a"}])

    with pytest.raises(SubsetError, match="1 of its 2"):
        portray(pool, subset)


def test_languages_come_from_the_store_if_they_are_all_there(make, tmp_path):
    rows = [{"text": f"caption {i}"} for i in range(4)]
    pool, subset = make([0, 0, 3], rows[:2], rows[2:])
    folder = tmp_path / "scores" / "fasttext_language" / "0123"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"language": ["en", "fr"]}), folder / "a.1.parquet")

    assert portray(pool, subset, scores=tmp_path / "scores").languages is None

    pq.write_table(pa.table({"language": ["en", None]}), folder / "b.1.parquet")
    found = portray(pool, subset, scores=tmp_path / "scores").languages
    assert [(one.code, one.pool, one.kept) for one in found] == [
        ("en", 2, 2),
        ("fr", 1, 0),
        ("other", 1, 1),
    ]


@pytest.mark.parametrize(
    ("caption", "plain"),
    [
        ("  two\n lines\t", "two lines"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a\u202eb\x00", "a\ufffdb\ufffd"),
        ("x" * 1000, "x" * 199 + "…"),
        ("👩‍🚀", "👩‍🚀"),
        (" \n ", "\ufffd"),
    ],
)
def test_captions_are_one_plain_line(caption, plain):
    assert plain_caption(caption) == plain
