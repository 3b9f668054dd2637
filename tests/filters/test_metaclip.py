"""MetaCLIP's balancing: the match as the paper has it, the draw, and what must not matter."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_from_params, run_filter
from datacomp.pool import open_pool
from datacomp_filters.metaclip import MARKS, SPACES, MetaClip, tail_threshold
from datacomp_filters.substrings import Entries, plain_words

ALPHABET = [*"abB  ,.;:?!`\n\t\r-éé日 \u00a0\u0301", "ab", "a b", "İ"]


def naive(caption, entries):
    """Algorithm 1 of arXiv 2309.16671, with Python's `in`."""
    text = f" {caption} "
    for mark in MARKS:
        text = text.replace(mark, f" {mark} ")
    for space in "\t\n\r":
        text = text.replace(space, " ")
    return {number for number, entry in enumerate(entries) if f" {entry} " in text}


def strings(rng, n, longest):
    return ["".join(rng.choices(ALPHABET, k=rng.randint(0, longest))) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
def test_entries_are_found_as_python_finds_them(seed):
    rng = random.Random(seed)
    entries = list(dict.fromkeys(strings(rng, 300, 6)))
    captions = [None, "", *strings(rng, 1500, 30)]
    found = Entries(entries, MARKS, SPACES).find(pa.array(captions)).to_pylist()
    assert found[0] is None
    for caption, numbers in zip(captions[1:], found[1:], strict=True):
        assert len(numbers) == len(set(numbers))
        assert set(numbers) == naive(caption, entries), caption


@pytest.mark.parametrize(
    ("caption", "entries", "expected"),
    [
        ("a hot dog", ["hot", "dog", "hot dog", "a hot dog"], {0, 1, 2, 3}),
        ("hot  dog", ["hot dog", "hot", "dog", ""], {1, 2, 3}),
        ("hotdog", ["hot", "dog"], set()),
        ("Dog", ["dog"], set()),
        ("dog, cat.", ["dog", "cat", ",", "dog,"], {0, 1, 2}),
        ("dog\ncat", ["dog cat"], {0}),
        ("it's a dog-house", ["it", "dog", "it's", "dog-house"], {2, 3}),
        ("日本 の 犬", ["犬", "日"], {0}),
        ("", ["dog", ""], {1}),
    ],
)
def test_what_stands_in_a_caption(caption, entries, expected):
    assert naive(caption, entries) == expected
    (found,) = Entries(entries, MARKS, SPACES).find(pa.array([caption])).to_pylist()
    assert set(found) == expected


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
)
def test_captions_of_any_string_type_and_slices_of_them(kind):
    captions = pa.array(["dog", None, "a cat", "dog cat"]).cast(kind)
    table = Entries(["dog", "cat"])
    assert table.find(captions).to_pylist() == [[0], None, [1], [0, 1]]
    assert table.find(captions[2:]).to_pylist() == [[1], [0, 1]]
    assert table.find(captions[:0]).to_pylist() == []
    assert table.find(pa.nulls(2)).to_pylist() == [None, None]


def test_of_equal_entries_the_first_is_found():
    assert Entries(["dog", "cat", "dog"]).find(pa.array(["dog"])).to_pylist() == [[0]]


def test_plain_words_are_letters_and_digits():
    captions = pa.array(["  Hot-Dogs!! (2)", "Café_Noir", "हिन्दी", None])
    assert plain_words(captions).to_pylist() == ["hot dogs 2", "café noir", "हिन्दी", None]


@pytest.mark.parametrize(
    ("counts", "tail", "t"),
    [
        ([1, 1, 1, 1, 96], 0.05, 96),
        ([1, 1, 1, 1, 96], 0.03, 1),
        ([5, 0, 5, 90], 0.1, 90),
        ([5, 0, 5, 90], 0.09, 5),
        ([3, 3], 1.0, 3),
        ([0, 0], 0.06, 1),
        ([], 0.06, 1),
    ],
)
def test_entries_rarer_than_t_hold_at_most_the_tail(counts, tail, t):
    counts = np.array(counts, np.int64)
    assert tail_threshold(counts, tail) == t
    assert counts[counts < t].sum() <= tail * counts.sum()


@pytest.fixture
def pool_of(tmp_path):
    """A pool of captions, in an order and cut into parts."""

    def make(name, captions, order=None, parts=1):
        folder = tmp_path / name
        folder.mkdir()
        order = np.arange(len(captions)) if order is None else order
        for number, rows in enumerate(np.array_split(order, parts)):
            uids = [f"{row * 0x9E3779B97F4A7C15 % 2**128:032x}" for row in rows.tolist()]
            texts = pa.array([captions[row] for row in rows], pa.string())
            pq.write_table(pa.table({"uid": uids, "text": texts}), folder / f"{number}.parquet")
        return open_pool(str(folder))

    return make


@pytest.fixture
def metadata(tmp_path):
    """A file of metadata, one entry a line."""

    def make(*entries):
        path = tmp_path / "metadata.txt"
        path.write_text("\n".join(entries))
        return str(path)

    return make


def ran(pool, tmp_path, **params):
    return run_filter(filter_from_params(MetaClip, params), pool, tmp_path / "scores")


def test_rows_are_counted_by_reason(pool_of, metadata, tmp_path):
    pool = pool_of("p", [None, "", "nothing here", "a dog", *["a cat"] * 50])
    counts = ran(pool, tmp_path, metadata=metadata("dog", "cat"), t=1).counts
    assert (counts.dropped["null_caption"], counts.dropped["no_entry"]) == (1, 2)
    assert counts.kept == 54 - 3 - counts.dropped["not_drawn"]


def test_what_is_rarer_than_t_is_kept_whole(pool_of, metadata, tmp_path):
    pool = pool_of("p", ["dog"] * 30 + ["cat"] * 31)
    assert ran(pool, tmp_path, metadata=metadata("dog", "cat"), t=31).counts.kept == 61
    assert ran(pool, tmp_path, metadata=metadata("dog", "cat"), t=30).counts.kept >= 30


def test_a_pair_is_kept_if_any_of_its_entries_fires(pool_of, metadata, tmp_path):
    # "cat" fires for 1 in 100, "rare" always.
    pool = pool_of("p", ["cat"] * 1990 + ["cat rare"] * 10)
    result = ran(pool, tmp_path, metadata=metadata("cat", "rare"), t=20)
    assert 10 <= result.counts.kept <= 70


@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_are_kept_with_the_probability_of_the_paper(pool_of, metadata, tmp_path, seed):
    # Alone, "a" fires for 0.25 and "b" for 0.5 of their captions; together for 1 - 0.75 * 0.5.
    captions = ["a"] * 6000 + ["b"] * 2000 + ["a b"] * 2000
    params = {"metadata": metadata("a", "b"), "t": 2000, "seed": seed}
    pool = pool_of("p", captions)
    kept = set(ran(pool, tmp_path, **params).subset.uids.tolist())
    uids = pool.uids(pool.parts[0]).tolist()
    for first, last, share in ((0, 6000, 0.25), (6000, 8000, 0.5), (8000, 10_000, 0.625)):
        n = last - first
        deviation = (n * share * (1 - share)) ** 0.5
        assert abs(sum(uid in kept for uid in uids[first:last]) - n * share) < 4 * deviation


def test_neither_order_nor_parts_nor_other_rows_of_the_pool_move_a_draw(
    pool_of, metadata, tmp_path
):
    rng = random.Random(0)
    captions = [" ".join(rng.choices("abcdefgh", k=rng.randint(0, 3))) for _ in range(3000)]
    params = {"metadata": metadata(*"abcdefgh"), "t": 300}
    usual = ran(pool_of("usual", captions), tmp_path, **params)
    order = np.random.default_rng(0).permutation(3000)
    other = ran(pool_of("other", captions, order, parts=7), tmp_path, **params)
    assert usual.subset.sha256 == other.subset.sha256
    assert usual.counts == other.counts
    reseeded = ran(pool_of("third", captions), tmp_path, **params, seed=1)
    assert reseeded.subset.sha256 != usual.subset.sha256


def test_metadata_as_lines_and_as_json_are_the_same(pool_of, metadata, tmp_path):
    pool = pool_of("p", ["hot dog", "dog", "Cat"] * 20)
    lines = metadata("hot dog", "", "  dog ", "cat", "dog")
    listed = tmp_path / "metadata.json"
    listed.write_text(json.dumps(["hot dog", "dog", "cat"]))
    results = [ran(pool, tmp_path, metadata=path, t=3) for path in (lines, str(listed))]
    assert results[0].subset.sha256 == results[1].subset.sha256
    assert results[0].counts.dropped["no_entry"] == 20
    folded = ran(pool, tmp_path, metadata=lines, t=3, ignore_case=True)
    assert folded.counts.dropped["no_entry"] == 0


@pytest.mark.parametrize(
    "content", ["", "\n \n", "[]", "[1, 2]", '["dog"', '["dog", null]', b"\xff\xfe\x00"]
)
def test_metadata_without_entries_are_refused(pool_of, tmp_path, content):
    path = tmp_path / "metadata"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FilterError, match="metadata"):
        ran(pool_of("p", ["dog"]), tmp_path, metadata=str(path))


@pytest.mark.parametrize(
    "params",
    [
        {"t": 5, "tail": 0.1},
        {"t": 0},
        {"tail": 1.5},
        {"tail": float("nan")},
        {"metadata": "a", "wordnet": "b"},
    ],
)
def test_parameters_that_contradict_are_refused(params):
    with pytest.raises(UsageError):
        filter_from_params(MetaClip, params)
