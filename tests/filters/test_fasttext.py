"""The compiled reading of fastText models, against fastText itself: the same label every time."""

import random
import struct

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from datacomp.filtering import Host
from datacomp_filters.fasttext_model import Unsupported, read_model
from datacomp_filters.language import FastTextLanguage

ODD = [
    "",
    " ",
    "\n",
    "\x00",
    "a",
    "é",
    "a\nb",
    "hello\nworld, this is\x00one line\r\n",
    "</s>",
    "ein Hund </s> this is not read any more",
    "</s></s> this is",
    "__label__en",
    "__label__zz das ist ein Hund",
    "__label__ das",
    "no\u00a0break\u2003space\u3000here",
    "x" * 5000,
    "dog " * 1000,
    "ﬁ ﷽ 🐕‍🦺 \U0010ffff \ue000 e\u0301",
]


SCRIPTS = [
    (0, 0x7F),
    (0xA0, 0x590),
    (0x620, 0x700),
    (0x900, 0x980),
    (0x3040, 0x30FF),
    (0x4E00, 0x4F00),
    (0x1F600, 0x1F640),
]


def language(captions, model=None):
    compute = FastTextLanguage(model=model).open(Host())
    batch = pa.record_batch([pa.array(captions, pa.string())], ["text"])
    return compute(batch).column("language").to_pylist()


def by_fasttext(captions, model=None):
    (asset,) = FastTextLanguage(model=model).assets()
    model = fasttext.load_model(str(asset.path))
    found = [model.predict(caption.replace("\n", " "))[0] for caption in captions]
    return [labels[0].removeprefix("__label__") if labels else None for labels in found]


def made_up(words, n):
    rng = random.Random(0)
    signs = [chr(c) for first, last in SCRIPTS for c in range(first, last)]
    mixed = [" ".join(rng.choices(words, k=rng.randint(1, 12))) for _ in range(n)]
    return mixed + ["".join(rng.choices(signs, k=rng.randint(0, 50))) for _ in range(n)]


@pytest.fixture(scope="module")
def captions(golden_pool):
    columns = [golden_pool.read(part, ["text"])["text"] for part in golden_pool.parts]
    texts = [text for column in columns for text in column.to_pylist()]
    return [*ODD, *texts, *made_up(" ".join(texts).split(), 4000)]


def test_every_caption_has_the_label_that_fasttext_gives_it(captions):
    assert language(captions) == by_fasttext(captions)


def test_nulls_slices_and_empty_batches():
    compute = FastTextLanguage().open(Host())
    batch = pa.record_batch([pa.array(["das ist ein Hund", None, "this is a dog"])], ["text"])
    assert compute(batch).column("language").to_pylist() == ["de", None, "en"]
    assert compute(batch.slice(1)).column("language").to_pylist() == [None, "en"]
    assert compute(batch.slice(3)).column("language").to_pylist() == []


def write_model(path, *, output=None, loss=1, shortest=2, longest=3, buckets=500):
    """A dense model of random numbers in fastText's format: 4 labels, words of its own."""
    rng = np.random.default_rng(0)
    words = ["</s>", "dog", "the", "hünd"]
    labels = ["__label__en", "__label__de", "__label__fr", "__label__it"]
    entries = [(word, 9, 0) for word in words] + [(f, 8 - i, 1) for i, f in enumerate(labels)]
    rows = rng.normal(size=(len(words) + buckets, 8)).astype("<f4")
    output = rng.normal(size=(4, 8)).astype("<f4") if output is None else output
    args = (8, 5, 1, 1, 5, 1, loss, 3, buckets, shortest, longest, 100)
    with path.open("wb") as file:
        file.write(struct.pack("<2i12id", 793712314, 12, *args, 1e-4))
        file.write(struct.pack("<3iqq", len(entries), len(words), len(labels), 100, -1))
        for word, count, kind in entries:
            file.write(word.encode() + b"\0" + struct.pack("<qb", count, kind))
        file.write(struct.pack("<?qq", False, *rows.shape) + rows.tobytes())
        file.write(struct.pack("<?qq", False, *output.shape) + output.tobytes())
    return str(path)


@pytest.mark.parametrize(("shortest", "longest"), [(2, 3), (1, 4), (3, 6)])
def test_a_dense_model_is_read_too(tmp_path, captions, shortest, longest):
    model = write_model(tmp_path / "made.bin", shortest=shortest, longest=longest)
    read_model(tmp_path / "made.bin")
    some = captions[::7] + ODD
    found = language(some, model)
    assert found == by_fasttext(some, model)
    assert len(set(found)) > 2


def test_labels_that_are_too_near_are_left_to_fasttext(tmp_path):
    model = write_model(tmp_path / "flat.bin", output=np.zeros((4, 8), "<f4"))
    assert language(["the dog", "hünd"], model) == by_fasttext(["the dog", "hünd"], model)


def test_models_of_another_kind_are_run_by_fasttext(tmp_path):
    model = write_model(tmp_path / "softmax.bin", loss=3)
    with pytest.raises(Unsupported):
        read_model(tmp_path / "softmax.bin")
    assert language(["the dog", None], model) == [*by_fasttext(["the dog"], model), None]
