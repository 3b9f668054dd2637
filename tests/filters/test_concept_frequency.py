"""Concepts in captions and images, their counts, and the draw that favours rare ones."""

import csv
import io
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_from_params, run_filter
from datacomp.filtering.contract import Host
from datacomp.filtering.run import scored
from datacomp.pool import open_pool
from datacomp_filters.concept_frequency import ConceptFrequency, count_concepts
from datacomp_filters.concept_steps import CaptionConcepts, noun_lemma
from datacomp_filters.wordnet import load_wordnet

WORDNET = Path(__file__).parents[1] / "golden" / "wordnet"


@pytest.fixture
def names(tmp_path):
    """A file of names."""

    def make(*lines):
        path = tmp_path / "names.txt"
        path.write_text("\n".join(lines))
        return str(path)

    return make


@pytest.fixture
def make_pool(tmp_path):
    """A pool of captions and image features (n, d), in an order and cut into parts."""

    def make(name, captions, images=None, order=None, parts=1, **columns):
        folder = tmp_path / name / "metadata"
        folder.mkdir(parents=True)
        order = np.arange(len(captions)) if order is None else order
        for number, rows in enumerate(np.array_split(order, parts)):
            uids = [f"{row * 0x9E3779B97F4A7C15 % 2**128:032x}" for row in rows.tolist()]
            texts = {"text": captions, **columns}
            table = {key: pa.array([all_[row] for row in rows]) for key, all_ in texts.items()}
            pq.write_table(pa.table({"uid": uids, **table}), folder / f"{number}.parquet")
            if images is not None:
                some = np.asarray(images, np.float16)[rows]
                np.savez(folder / f"{number}.npz", l14_img=some, l14_txt=some)
        return open_pool(str(tmp_path / name))

    return make


def found(captions, *concepts, names, lemmas=False):
    step = CaptionConcepts(lemmas=lemmas, names=names(*concepts), wordnet=str(WORDNET))
    compute = step.open(Host())
    lists = compute(pa.record_batch([pa.array(captions)], ["text"])).column(0).to_pylist()
    return [None if some is None else {concepts[i] for i in some} for some in lists]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a dog", {"dog"}),
        ("DOG, cat!", {"dog", "cat"}),
        ("dogs", set()),
        ("hot stuff for a dog", {"dog", "hot_dog"}),
        ("a hotdog", set()),
        ("birds of prey", set()),
        ("prey for a bird", set()),
        ("an animal bird, no prey", {"Bird of prey (animal)"}),
        ("yo-yo", {"yo yo"}),
        ("", set()),
        (None, None),
    ],
)
def test_a_caption_has_the_concepts_all_of_whose_words_it_has(caption, expected, names):
    concepts = ("dog", "cat", "hot_dog", "Bird of prey (animal)", "yo yo", "!!!")
    assert found([caption], *concepts, names=names) == [expected]


def test_lemmas_make_forms_of_a_noun_equal(names):
    captions = ["two mice", "wolves", "the children and a hot dog", "churches", "it's"]
    concepts = ("mouse", "wolf", "Child", "hot dogs", "church")
    assert found(captions, *concepts, names=names, lemmas=True) == [
        {"mouse"},
        {"wolf"},
        {"Child", "hot dogs"},
        {"church"},
        set(),
    ]


def test_irregular_forms_come_before_words():
    dictionary = load_wordnet(WORDNET)
    forms = {"men": "man", "mice": "mouse", "dog": "dog", "dogs": "dog", "qwerty": "qwerty"}
    assert {word: noun_lemma(dictionary, word) for word in forms} == forms


@pytest.mark.parametrize("seed", range(3))
def test_captions_are_searched_as_sets_are(seed, names):
    rng = random.Random(seed)
    words = ["a", "b", "cé", "dd", "of", "日本"]
    concepts = list(
        dict.fromkeys(" ".join(rng.choices(words, k=rng.randint(1, 3))) for _ in "x" * 25)
    )
    captions = [
        None,
        *(
            rng.choice(" -,\n").join(rng.choices([*words, "E"], k=rng.randint(0, 6)))
            for _ in range(400)
        ),
    ]
    for caption, got in zip(captions, found(captions, *concepts, names=names), strict=True):
        if caption is None:
            assert got is None
            continue
        have = set(caption.replace("-", " ").replace(",", " ").split())
        little = {"a", "of"}
        need = {c: set(c.split()) - little or set(c.split()) for c in concepts}
        assert got == {c for c in concepts if need[c] <= have}


def run(pool, tmp_path, **params):
    return run_filter(filter_from_params(ConceptFrequency, params), pool, tmp_path / "scores")


def counts_of(pool, tmp_path, **params):
    chosen = filter_from_params(ConceptFrequency, params)
    with scored(chosen, pool, tmp_path / "scores") as view:
        return count_concepts(chosen, view)


def test_rare_concepts_are_drawn_more_often(make_pool, names, tmp_path):
    pool = make_pool("p", ["dog"] * 900 + ["cat"] * 100 + ["bird", None])
    params = {"lemmas": False, "concepts": names("dog", "cat"), "draws": 10_000}
    for temperature, share in ((0.0, 0.1), (0.5, 0.25), (1.0, 0.5)):
        result = run(pool, tmp_path, **params, temperature=temperature, max_repeats=1000)
        cats = set(pool.uids(pool.parts[0])[900:1000].tolist())
        drawn = sum(uid in cats for uid in result.subset.uids.tolist())
        assert result.counts.entries == 10_000
        assert abs(drawn - 10_000 * share) < 4 * (10_000 * share * (1 - share)) ** 0.5
        assert result.counts.dropped["no_concept"] == 2


def test_a_high_temperature_draws_the_rarest_concept(make_pool, names, tmp_path):
    pool = make_pool("p", ["dog"] * 20 + ["cat"] * 3 + ["fox"] * 2)
    params = {"concepts": names("dog", "cat", "fox"), "lemmas": False, "draws": 6}
    kept = run(pool, tmp_path, **params, temperature=2000.0).subset.uids
    assert len(kept) == 6
    assert len(set(kept.tolist())) <= 2


def test_no_pair_is_drawn_more_often_than_the_cap(make_pool, names, tmp_path):
    pool = make_pool("p", ["dog"] * 99 + ["cat"])
    result = run(pool, tmp_path, lemmas=False, concepts=names("dog", "cat"), max_repeats=3)
    _, times = np.unique(result.subset.uids, return_counts=True)
    assert times.max() == 3
    assert result.counts.entries == 100


IMAGES = [[2, 0, 0], [0, 3, 0.1], [1, 1, 0], [0, 0, 1], [np.nan, 0, 0], [0, 0, 0]]
CAPTIONS = ["dog", "dog", "dog cat", "cat", "dog", "cat"]


def test_concepts_in_images_are_near_to_their_vectors(make_pool, names, tmp_path):
    pool = make_pool("p", CAPTIONS, IMAGES)
    np.save(tmp_path / "e.npy", np.array([[5, 0, 0], [0, 0.5, 0], [0, 0, -2]], np.float32))
    params = {"concepts": names("dog", "cat", "none"), "embeddings": str(tmp_path / "e.npy")}
    found = counts_of(pool, tmp_path, **params, lemmas=False, search="joint", min_similarity=0.7)
    assert found.names == ("dog", "cat", "none")
    assert {by: counts.tolist() for by, counts in found.counts.items()} == {
        "text": [4, 3, 0],
        "image": [2, 2, 0],
        "joint": [2, 1, 0],
    }
    high = counts_of(pool, tmp_path, **params, search="image", min_similarity=0.9)
    assert {by: counts.tolist() for by, counts in high.counts.items()} == {"image": [1, 1, 0]}
    assert list(csv.reader(io.StringIO(found.to_csv())))[1] == ["dog", "4", "2", "2"]


def test_vectors_may_be_the_means_of_a_labelled_target(make_pool, tmp_path):
    # The mean of the normalised: [1, 0, 0] and [0, 1, 0], not of [9, 0, 0] and [0, 1, 0].
    target = make_pool(
        "t",
        ["x"] * 4,
        [[9, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]],
        label=["dog", "dog", "cat", None],
    )
    pool = make_pool("p", CAPTIONS, IMAGES)
    params = {"target": target.url, "lemmas": False, "search": "image", "min_similarity": 0.99}
    found = counts_of(pool, tmp_path, **params)
    assert found.names == ("cat", "dog")
    assert found.counts["image"].tolist() == [1, 1]
    assert run(pool, tmp_path, **params).counts.dropped["no_concept"] == 4


@pytest.mark.parametrize("search", ["text", "joint"])
def test_neither_order_nor_parts_matter(search, make_pool, names, tmp_path):
    rng = np.random.default_rng(0)
    captions = [" ".join(rng.choice(list("abcdefgh"), rng.integers(0, 4))) for _ in range(1500)]
    images, vectors = rng.normal(size=(1500, 16)), rng.normal(size=(7, 16))
    np.save(tmp_path / "e.npy", vectors)
    params = {"concepts": names(*"bcdefgh"), "search": search, "lemmas": False}
    if search == "joint":
        params |= {"embeddings": str(tmp_path / "e.npy"), "min_similarity": 0.1}
    usual = run(make_pool("usual", captions, images), tmp_path, **params)
    cut = make_pool("cut", captions, images, rng.permutation(1500), parts=6)
    assert run(cut, tmp_path, **params).subset.sha256 == usual.subset.sha256


def test_the_command_prints_counts_and_writes_them(make_pool, names, tmp_path, monkeypatch, capsys):
    from datacomp.cli.filter_concepts import app

    make_pool("p", ["dog", "dog", "[cat]", None])
    monkeypatch.chdir(tmp_path)
    words = [f"concepts={names('cat', 'dog', 'fox')}", "lemmas=false", "--pool", "p"]
    app([*words, "-o", "out.csv"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert shown.index("dog") < shown.index("cat")
    assert Path("out.csv").read_text() == "concept,text\ncat,1\ndog,2\nfox,0\n"
    app([*words, "--json"], standalone_mode=False)
    facts = json.loads(capsys.readouterr().out)
    assert facts == {
        "rows": 4,
        "concepts": [
            {"concept": "cat", "text": 1},
            {"concept": "dog", "text": 2},
            {"concept": "fox", "text": 0},
        ],
    }


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"concepts": "c", "search": "image"},
        {"concepts": "c", "search": "joint", "min_similarity": 0.3},
        {"concepts": "c", "min_similarity": 0.3},
        {"target": "t", "embeddings": "e", "search": "image", "min_similarity": 0.3},
        {"concepts": "c", "temperature": -1},
        {"concepts": "c", "draws": 0},
    ],
)
def test_parameters_that_contradict_are_refused(params):
    with pytest.raises(UsageError):
        filter_from_params(ConceptFrequency, params)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [(np.ones((3, 3)), "3 rows.*2 names"), (np.diag([1.0, 0.0])[:, [0, 1, 1]], "1 of 2.*'cat'")],
)
def test_embeddings_have_a_row_a_name(vectors, message, make_pool, names, tmp_path):
    np.save(tmp_path / "e.npy", vectors)
    params = {"concepts": names("dog", "cat"), "embeddings": str(tmp_path / "e.npy")}
    pool = make_pool("p", CAPTIONS, IMAGES)
    with pytest.raises(FilterError, match=message):
        run(pool, tmp_path, **params, search="image", min_similarity=0.3)
