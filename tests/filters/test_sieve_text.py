"""Masked phrases, sentence vectors, and the rule that makes a score of them."""

import json

import numpy as np
import pyarrow as pa
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import Host
from datacomp_filters.captioning.model_files import model_assets
from datacomp_filters.captioning.phrases import PHRASES, mask_phrases
from datacomp_filters.captioning.sentences import PACKAGE, encoder_assets, open_encoder
from datacomp_filters.captioning.similarity import CaptionSimilarity
from datacomp_filters.sieve import Sieve

HOST = Host(device="cpu", arrays=lambda fit: {})


@pytest.mark.parametrize(
    ("text", "whole_words", "original"),
    [
        ("A photo of a cat", "a cat", " a cat"),
        ("Stock Photo: an IMAGE of rain", ": rain", ":  rain"),
        ("old photograph", "old photograph", "old graph"),
        ("imagery of a photo", "imagery of", "ry of "),
        ("photo stock photo", "", " "),
        ("an image", "", ""),
        ("a photo\nof  two dogs", "of two dogs", "\nof  two dogs"),
        ("", "", ""),
    ],
)
def test_phrases_are_masked_by_whole_words_or_as_in_the_original(text, whole_words, original):
    assert mask_phrases(text, PHRASES, None) == whole_words
    assert mask_phrases(text, PHRASES, "sieve") == original


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A sentence encoder of one layer without a normalising module, with another pooling folder."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("encoder")
    words = ["cat", "dog", "red", "sun", "of", "the", "a", "photo", "graph", "ry"]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"))
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_vectors_have_length_one_whatever_the_encoder_does(encoder):
    encode = open_encoder(encoder_assets(str(encoder)), "cpu")
    vectors = encode(["cat", "the red dog", "cat", ""])
    assert vectors.shape == (4, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[2])
    assert np.allclose(encode(["the red dog"]), vectors[1:2], atol=1e-5)


def test_an_encoders_files_are_known_by_content(encoder):
    names = [asset.name for asset in encoder_assets(str(encoder))]
    assert "encoder/modules.json" in names
    assert "encoder/1_Pooling/config.json" in names
    assert "encoder/model.safetensors" in names
    assert names == sorted(set(names), key=lambda name: (name.count("/"), name))


def test_pickled_weights_count_only_where_there_are_no_others(tmp_path):
    for file in ("config.json", "pytorch_model.bin", "notes.md"):
        (tmp_path / file).write_text(file)
    assert names_in(tmp_path) == ["m/config.json", "m/pytorch_model.bin"]
    (tmp_path / "model.safetensors").write_text("")
    assert names_in(tmp_path) == ["m/config.json", "m/model.safetensors"]


def names_in(folder):
    return [asset.name for asset in model_assets("m", folder)]


def test_no_encoder_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "modules.json").write_text("{}")
    with pytest.raises(FilterError, match="not a list of sentence-transformers' modules"):
        encoder_assets(str(tmp_path))
    with pytest.raises(UsageError, match="encoder=nowhere is neither a folder nor"):
        encoder_assets("nowhere")


def similar(encoder, rows, **parameters):
    """Scores of (alt-text, captions) rows, with the captions as if a captioner had made them."""
    step = CaptionSimilarity(encoder=str(encoder), **parameters)
    batch = pa.record_batch(
        {
            "text": pa.array([text for text, _ in rows], pa.string()),
            "captions": pa.array([few for _, few in rows], pa.list_(pa.string())),
        }
    )
    made = step.open(HOST)(batch)
    assert made.schema == step.outputs()
    return made.to_pydict()


def test_the_score_is_the_highest_cosine_over_the_captions(encoder):
    rows = [("red cat", ["dog sun", "a photo of red cat", "sun"]), ("sun", ["sun", "dog", "cat"])]
    made = similar(encoder, rows)
    vectors = open_encoder(encoder_assets(str(encoder)), "cpu")(["red cat", "dog sun", "sun"])
    # The mask leaves "of red cat" of the second caption's "a photo of red cat": "red cat".
    assert made["best_caption"] == ["red cat", "sun"]
    assert made["caption_similarity"] == pytest.approx([1, 1], abs=1e-5)
    mean = (1 + vectors[0] @ vectors[1] + vectors[0] @ vectors[2]) / 3
    assert made["caption_similarity_mean"][0] == pytest.approx(mean, abs=1e-5)


def test_rows_without_alt_text_or_captions_have_no_score(encoder):
    rows = [(None, ["cat"]), ("cat", None), ("cat", ["cat"])]
    made = similar(encoder, rows)
    for column in made.values():
        assert [value is None for value in column] == [True, True, False]
    assert similar(encoder, [])["best_caption"] == []


def test_empty_texts_count_nothing_and_by_the_original_only_a_best_caption_does(encoder):
    rows = [("sun", ["photo", "an image"]), ("photo", ["photo", "cat"]), ("cat", ["photo", "cat"])]
    assert similar(encoder, rows)["caption_similarity"] == pytest.approx([0, 0, 1], abs=1e-5)
    made = similar(encoder, rows, compat="sieve")
    # An empty alt-text is most like an empty caption, which is what the original looks for.
    assert made["caption_similarity"] == pytest.approx([0, 0, 1], abs=1e-5)
    assert made["best_caption"] == ["", "", "cat"]
    # Within words, and only where the original is asked for.
    rows = [("photograph", ["graph"])]
    assert similar(encoder, rows, compat="sieve")["caption_similarity"][0] == pytest.approx(1)
    assert similar(encoder, rows)["caption_similarity"][0] < 0.999


def test_without_a_mask_phrases_stay(encoder):
    rows = [("cat", ["a photo of cat"])]
    assert similar(encoder, rows, mask="none")["best_caption"] == ["a photo of cat"]


def test_minilm_comes_with_its_package():
    pytest.importorskip(PACKAGE)
    encode = open_encoder(encoder_assets(None), "cpu")
    rabbit, bunny, train = encode(["a rabbit", "cute bunny sticker", "train station"])
    assert rabbit.shape == (384,)
    assert rabbit @ bunny > 0.5 > rabbit @ train + 0.2


def test_parameters_that_do_not_fit_the_captioner_are_refused(tmp_path):
    for words, fact in (
        ({"captioner": "small"}, "trusted=POOL"),
        ({"trusted": str(tmp_path)}, "trusted=POOL"),
        ({"captioner": "coca", "pixels": 224}, "captioner=blip alone"),
        ({"captioner": "small", "trusted": "x", "captioner_model": "y"}, "no captioner_model"),
        ({"captioner_steps": 5}, "captioner=small is trained"),
        ({"k": 0}, "got 0"),
        ({"captioner": "small", "trusted": "x", "captioner_steps": 0}, "got 0"),
        ({"clip_weight": 1.5}, "got 1.5"),
        ({"fraction": -0.1}, "got -0.1"),
    ):
        with pytest.raises(UsageError, match=fact):
            Sieve(**words)
