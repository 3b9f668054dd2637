"""Each rule of the built-in filters, a row for a reason; golden subsets stand in test_golden."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Host, filter_class, filter_spec
from datacomp.pool import open_pool
from datacomp_filters.basic_filter import BasicFilter
from datacomp_filters.captions import has_fewer_words
from datacomp_filters.clip_score import ClipScore
from datacomp_filters.language import FastTextLanguage

ENGLISH = "a dog on the beach"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((ENGLISH, 200, 600), None),
        ((None, 400, 400), "null_caption"),
        (("ein Hund am Strand im Sommer", 400, 400), "not_english"),
        (("the dog", 400, 400), "few_words"),
        (("i a m", 400, 400), "few_chars"),
        ((ENGLISH, 199, 400), "small"),
        ((ENGLISH, 0, 0), "small"),
        ((ENGLISH, None, 400), "small"),
        ((ENGLISH, 200, 601), "aspect"),
    ],
)
def test_basic_filter_drops_a_row_for_its_first_reason(captioned, run, row, reason):
    result = run(captioned(row), "basic_filter")
    assert [name for name, n in result.counts.dropped.items() if n] == [reason] * bool(reason)
    assert result.subset.n == (reason is None)


def test_basic_filters_parameters_are_limits_included(captioned, run):
    row = ("the dog", 64, 64)
    assert run(captioned(row), "basic_filter min_words=2 min_side=64").subset.n == 1
    assert run(captioned(row), "basic_filter min_words=2 min_side=65").subset.n == 0


def test_words_are_counted_as_python_splits_them_for_every_character():
    characters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
    captions = [f"a{c}b{c}" for c in characters]
    fewer = has_fewer_words(pa.chunked_array([pa.array(captions)]), 2)
    assert fewer.tolist() == [len(caption.split()) < 2 for caption in captions]


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_words_are_counted_between_any_white_space(n):
    captions = ["", " ", "a", "  a \n", "a b", "\u3000a\tb\u00a0", "a  b   c ", "a b c d", None]
    fewer = has_fewer_words(pa.chunked_array([pa.array(captions, pa.string())]), n)
    assert fewer.tolist() == [c is None or len(c.split()) < n for c in captions]


def test_the_language_is_stored_once_and_shared_by_content_of_the_model(tmp_path):
    default = FastTextLanguage()
    (asset,) = default.assets()
    copy = tmp_path / "lid.176.ftz"
    copy.write_bytes(asset.path.read_bytes())
    key = filter_spec(BasicFilter()).steps[0].key
    assert filter_spec(BasicFilter(language_model=str(copy))).steps[0].key == key
    assert filter_spec(BasicFilter(min_words=9)).steps[0].key == key
    copy.write_bytes(b"another model")
    assert filter_spec(BasicFilter(language_model=str(copy))).steps[0].key != key


def test_a_language_model_that_is_not_there_is_named(captioned, run):
    with pytest.raises(FilterError, match=r"fasttext language model.*/gone\.bin"):
        run(captioned((ENGLISH, 400, 400)), "basic_filter language_model=/gone.bin")


def test_the_language_of_a_caption_with_newlines_is_that_of_one_line():
    compute = FastTextLanguage().open(Host())
    batch = pa.record_batch([pa.array(["a dog on\nthe beach", None, "", "x" * 5000])], ["text"])
    assert compute(batch).column("language").to_pylist()[:2] == ["en", None]


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_captions_of_any_string_type_are_judged_alike(captioned, run, tmp_path, kind):
    pool = captioned((ENGLISH, 400, 400), ("the dog", 400, 400), (None, 400, 400))
    plain = run(pool, "basic_filter").counts
    table = pool.read(pool.parts[0], pool.parts[0].columns)
    text = table.column("text").combine_chunks()
    text = text.dictionary_encode() if pa.types.is_dictionary(kind) else text.cast(kind)
    pq.write_table(table.set_column(1, "text", text), tmp_path / "captioned" / "0.parquet")
    # A part without rows, as pandas writes it, has captions of the type null.
    empty = table.slice(0, 0).set_column(1, "text", pa.nulls(0))
    pq.write_table(empty, tmp_path / "captioned" / "1.parquet")
    again = open_pool(pool.url)
    assert again.read(again.parts[0], ["text"]).column(0).type == kind
    assert run(again, "basic_filter").counts == plain


def scored_pool(folder, scores):
    n = len(scores)
    uids = [f"{n - row:032x}" for row in range(n)]
    table = pa.table({"uid": uids, "mine": scores})
    pq.write_table(table, folder / "0.parquet")
    return open_pool(str(folder))


def test_clip_score_keeps_exactly_the_fraction_where_datacomp_keeps_more(tmp_path, run):
    pool = scored_pool(tmp_path, np.array([0.5] * 5 + [0.1] * 5, np.float32))
    sensible = run(pool, "clip_score fraction=0.3 column=mine")
    assert sensible.subset.uids["f1"].tolist() == [6, 7, 8]
    assert run(pool, "clip_score fraction=0.3 column=mine compat=datacomp").subset.n == 5


def test_rows_without_a_score_are_counted_as_such(tmp_path, run):
    pool = scored_pool(tmp_path, pa.array([0.5, None, float("nan"), 0.1], pa.float32()))
    result = run(pool, "clip_score fraction=1 column=mine")
    assert result.subset.n == 2
    assert result.counts.dropped == {"no_score": 2, "below_cut": 0}


@pytest.mark.parametrize(("limit", "kept"), [("-1e39", 2), ("1e39", 1)])
def test_a_threshold_beyond_the_columns_range_is_no_infinity(tmp_path, run, limit, kept):
    pool = scored_pool(tmp_path, np.array([-np.inf, 0.5, np.inf], np.float32))
    assert run(pool, f"clip_score threshold={limit} column=mine").subset.n == kept


def test_a_column_of_whole_numbers_is_a_score(tmp_path, run):
    assert run(scored_pool(tmp_path, [1, 2, 3]), "clip_score threshold=2 column=mine").subset.n == 2


def test_a_column_of_words_is_no_score(tmp_path, run):
    with pytest.raises(FilterError, match=r"part 0: column 'mine' is of type string"):
        run(scored_pool(tmp_path, ["a", "b"]), "clip_score threshold=2 column=mine")


def test_parts_that_store_a_score_in_different_types_are_refused(tmp_path, run):
    pool = scored_pool(tmp_path, np.array([0.1, 0.2], np.float32))
    pq.write_table(pa.table({"uid": ["f" * 32], "mine": [0.3]}), tmp_path / "1.parquet")
    with pytest.raises(FilterError, match=r"type float32 in some parts, float64"):
        run(open_pool(pool.url), "clip_score fraction=0.5 column=mine")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"fraction": 0.3, "threshold": 0.2},
        {"fraction": 1.5},
        {"threshold": float("nan")},
        {"fraction": 0.3, "arch": "b32", "column": "mine"},
    ],
)
def test_clip_score_refuses_what_makes_no_sense(parameters):
    with pytest.raises(UsageError):
        ClipScore(**parameters)


def test_clip_score_says_which_rule_is_in_force():
    assert "exactly the floor" in ClipScore(fraction=0.3).rules()[1]
    assert "compat=datacomp: keeps" in ClipScore(fraction=0.3, compat="datacomp").rules()[1]


def test_random_keeps_the_floor_and_follows_its_seed(golden_pool, run):
    a, b = (run(golden_pool, f"random fraction=0.29 seed={seed}") for seed in (0, 1))
    assert a.subset.n == b.subset.n == 1740
    assert a.subset.sha256 != b.subset.sha256
    assert a.lock["seed"] == 0
    with pytest.raises(UsageError, match="between 0 and 1"):
        filter_class("random")(fraction=2.0)


def test_no_filter_keeps_a_uid_as_often_as_the_pool_has_it(golden_pool, run):
    subset = run(golden_pool, "no_filter").subset
    assert (subset.n, subset.n_unique) == (6000, 5999)
