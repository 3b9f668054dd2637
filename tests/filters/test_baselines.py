"""The quirks of DataComp's baselines, and the sensible rules beside them, a caption for each.

Golden subsets stand in test_golden; the words of WordNet in test_wordnet.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_class, filter_from_words, filter_spec
from datacomp.pool import open_pool
from datacomp_filters.captions import has_fewer_fasttext_tokens, has_fewer_words


def why(result):
    return [reason for reason, n in result.counts.dropped.items() if n]


def caption_pool(folder, *captions, scores=None):
    table = pa.table(
        {
            "uid": [f"{n:032x}" for n in range(len(captions))],
            "text": pa.array(captions, pa.string()),
            "clip_b32_similarity_score": pa.array(scores or [0.3] * len(captions), pa.float32()),
        }
    )
    pq.write_table(table, folder / "0.parquet")
    return open_pool(str(folder))


# text_based


@pytest.mark.parametrize(
    ("caption", "sensible", "datacomp"),
    [
        ("this is a photo of the dog on the grass", [], []),
        ("this is a photo of the DOGS on the grass", [], []),
        ("these are the mice that we have seen", [], []),
        ("this is the one that we have, dog, and more", [], ["no_entity"]),
        ("this is what will entwine the two of us", ["no_entity"], []),
        ("this is so very cognitive of you and me", ["no_entity"], []),
        ("this is that and they are what they are", ["no_entity"], ["no_entity"]),
        ("das ist ein Hund auf dem grünen Rasen dog", ["not_english"], ["not_english"]),
        (None, ["null_caption"], ["null_caption"]),
    ],
)
def test_text_based_looks_for_first_senses(tmp_path, run, caption, sensible, datacomp):
    pool = caption_pool(tmp_path, caption)
    assert why(run(pool, "text_based")) == sensible
    assert why(run(pool, "text_based compat=datacomp")) == datacomp


def test_text_based_computes_nothing_twice_for_other_ids(tmp_path, run, captioned):
    pool = caption_pool(tmp_path, "this is a photo of the dog on the grass")
    assert run(pool, "text_based").subset.n == 1
    (tmp_path / "ids.txt").write_text("n00001740\n")
    other = run(pool, f"text_based ids={tmp_path / 'ids.txt'}")
    assert other.subset.n == 0
    assert [step.done for step in other.steps] == [0, 0]


def test_ids_that_are_none_are_refused(tmp_path, run):
    (tmp_path / "ids.txt").write_text("n00001740\ndog\n")
    pool = caption_pool(tmp_path, "this is a photo of the dog on the grass")
    with pytest.raises(FilterError, match=r"ids\.txt is no list of WordNet ids"):
        run(pool, f"text_based ids={tmp_path / 'ids.txt'}")


# The caption rule of image_based


def test_fasttext_counts_every_newline_and_knows_ascii_white_space_only():
    tokens = {
        "": 0,
        "\n": 1,
        "a": 1,
        "a\n": 2,
        "a\nb": 3,
        "\n\n a \n": 4,
        "a\u00a0b": 1,
        "a\u3000b": 1,
        "a\x00b": 2,
        "a\tb\vc\fd\re f": 6,
        "a\x1cb": 1,
        "a\x85b": 1,
    }
    captions = pa.chunked_array([pa.array([*tokens, None])])
    for n in range(1, 7):
        expected = [count < n for count in tokens.values()] + [True]
        assert has_fewer_fasttext_tokens(captions, n).tolist() == expected


def test_fasttexts_white_space_for_every_character():
    characters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
    captions = pa.chunked_array([pa.array([f"a{c}b" for c in characters])])
    fewer = has_fewer_fasttext_tokens(captions, 2)
    assert {c for c, one in zip(characters, fewer, strict=True) if not one} == set(" \n\r\t\v\f\0")


def test_words_between_unicode_white_space_differ_from_tokens():
    captions = pa.chunked_array([pa.array(["photograph\n", "good\u00a0photograph", "good photo"])])
    assert has_fewer_words(captions, 2).tolist() == [True, False, False]
    assert has_fewer_fasttext_tokens(captions, 2).tolist() == [False, True, False]


# image_based


@pytest.fixture
def plane(tmp_path):
    """Three centroids in the plane, one far out; targets near the first and the third."""
    np.save(tmp_path / "centroids.npy", np.array([[1, 0], [0, 1], [3, 3]], np.float32))
    np.save(tmp_path / "target.npy", np.array([[1, 0.1], [3, 2.9], [3, 3]], np.float16))
    return f"centroids={tmp_path / 'centroids.npy'} target={tmp_path / 'target.npy'}"


def image_pool(folder, features, caption="a photo of a dog on the beach"):
    table = pa.table(
        {
            "uid": [f"{n:032x}" for n in range(len(features))],
            "text": [caption] * len(features),
            "clip_l14_similarity_score": pa.array(np.arange(len(features)), pa.float32()),
        }
    )
    pq.write_table(table, folder / "0.parquet")
    np.savez(folder / "0.npz", l14_img=np.array(features, np.float16))
    return open_pool(str(folder))


def test_a_long_centroid_draws_all_by_inner_product_but_not_by_distance(tmp_path, run, plane):
    pool = image_pool(tmp_path, [[1, 0], [0, 1], [2, 3], [float("nan"), 0]])
    sensible = run(pool, f"image_based {plane}")
    assert sensible.subset.uids["f1"].tolist() == [0, 2]
    assert why(sensible) == ["no_cluster", "other_cluster"]
    exact = run(pool, f"image_based compat=datacomp {plane}")
    assert exact.subset.uids["f1"].tolist() == [0, 1, 2]


def test_the_intersection_takes_its_fraction_of_the_whole_pool(tmp_path, run, plane):
    pool = image_pool(tmp_path, [[1, 0], [0, 1], [2, 3], [0, 1]])
    words = f"image_based_intersect_clip_score {plane} fraction=0.5"
    result = run(pool, words)
    assert result.subset.uids["f1"].tolist() == [2]
    assert why(result) == ["clip_score: below_cut", "image_based: other_cluster"]
    assert run(pool, f"{words} compat=datacomp").subset.uids["f1"].tolist() == [1, 2, 3]


def test_another_fraction_assigns_no_image_again(tmp_path, run, plane):
    pool = image_pool(tmp_path, [[1, 0], [0, 1], [2, 3], [0, 1]])
    run(pool, f"image_based {plane}")
    again = run(pool, f"image_based_intersect_clip_score {plane} fraction=0.25")
    assert [step.done for step in again.steps] == [0, 0]


def test_features_of_another_model_are_refused(tmp_path, run, plane):
    with pytest.raises(FilterError, match="have 3 dimensions, the centroids 2"):
        run(image_pool(tmp_path, [[1, 0, 0]]), f"image_based {plane}")


@pytest.mark.parametrize("name", ["image_based", "image_based_intersect_clip_score"])
@pytest.mark.parametrize("words", ["", "scale=small centroids=mine.npy"])
def test_one_of_scale_and_centroids_is_needed(name, words):
    fraction = ["fraction=0.3"] if name.endswith("clip_score") else []
    with pytest.raises(UsageError, match="exactly one of scale and centroids"):
        filter_from_words(filter_class(name), [*fraction, *words.split()])


def test_image_based_says_that_it_was_made_with_imagenets_training_images(built):
    assert filter_spec(built("image_based")).uses_eval_related_data == "train"
    assert filter_spec(built("text_based")).uses_eval_related_data == "none"


# laion2b


def test_laion2b_compares_in_the_columns_own_type(tmp_path, run):
    scores = [0.28, 0.27999, 0.3, None]
    captions = ["this is a photo of the dog on the grass"] * 4
    result = run(caption_pool(tmp_path, *captions, scores=scores), "laion2b")
    assert result.subset.uids["f1"].tolist() == [0, 2]
    assert why(result) == ["no_score", "below_cut"]


def test_laion2b_asks_cld3_about_one_line(tmp_path, run):
    captions = ["this is a photo\nof the dog on the grass", "das ist ein Hund auf dem Rasen", None]
    result = run(caption_pool(tmp_path, *captions), "laion2b")
    assert result.subset.uids["f1"].tolist() == [0]
    assert why(result) == ["null_caption", "not_english"]


# compat


@pytest.mark.parametrize(
    "words", ["laion2b compat=datacomp threshold=0.3", "basic_filter compat=datacomp min_words=2"]
)
def test_compat_pins_the_originals_numbers(words):
    name, *parameters = words.split()
    with pytest.raises(UsageError, match="compat=datacomp fixes"):
        filter_from_words(filter_class(name), parameters)


@pytest.mark.parametrize("name", ["text_based", "image_based", "image_based_intersect_clip_score"])
def test_the_rules_say_which_is_in_force(name, built):
    sensible = built(name)
    exact = type(sensible)(
        **{f: getattr(sensible, f) for f in type(sensible).__dataclass_fields__ if f != "compat"},
        compat="datacomp",
    )
    assert sensible.rules() != exact.rules()
    for chosen in (sensible, exact):
        assert any("compat=datacomp" in rule for rule in chosen.rules())
