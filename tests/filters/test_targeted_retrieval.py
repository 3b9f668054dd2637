"""Retrieval per class: against a brute force, and what must not matter."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import filter_from_params, run_filter
from datacomp.filtering.combine import And
from datacomp.filtering.contract import Host
from datacomp.pool import open_pool
from datacomp_filters import lists, per_class
from datacomp_filters.class_steps import NamedClasses
from datacomp_filters.per_class import TopPerClass
from datacomp_filters.targeted_retrieval import TargetedRetrieval

CLASSES = ("dog", "cat", "hot dog", "T-shirt", "t shirt")
N, WIDTH = 900, 8


@pytest.fixture
def make_pool(tmp_path):
    """A pool of captions and image features (n, d), in an order and cut into parts."""

    def make(name, captions, images=None, order=None, parts=1, **columns):
        folder = tmp_path / name / "metadata"
        folder.mkdir(parents=True)
        order = np.arange(len(captions)) if order is None else order
        for number, rows in enumerate(np.array_split(order, parts)):
            uids = [f"{uid_of(row)[0]:016x}{uid_of(row)[1]:016x}" for row in rows.tolist()]
            texts = {"text": captions, **columns}
            table = {key: pa.array([all_[row] for row in rows]) for key, all_ in texts.items()}
            pq.write_table(pa.table({"uid": uids, **table}), folder / f"{number}.parquet")
            if images is not None:
                some = np.asarray(images, np.float16)[rows]
                np.savez(folder / f"{number}.npz", l14_img=some, l14_txt=-some)
        return open_pool(str(tmp_path / name))

    return make


def uid_of(row):
    return row * 7919 % 1009, row


@pytest.fixture
def world(make_pool, tmp_path):
    """A pool of noise with ties, and class vectors."""
    rng = np.random.default_rng(0)
    words = ["dog", "cat", "hot", "t", "shirt", "of"]
    captions = [" ".join(rng.choice(words, rng.integers(0, 6))) for _ in range(N)]
    captions[3] = None
    images = rng.integers(-2, 3, (N, WIDTH)).astype(np.float16)
    images[5:9, 0] = np.nan
    np.save(tmp_path / "vectors.npy", rng.integers(-2, 3, (5, WIDTH)).astype(np.float32))
    (tmp_path / "names").write_text("\n".join(CLASSES))
    paths = {"classes": str(tmp_path / "names"), "embeddings": str(tmp_path / "vectors.npy")}
    return captions, images, paths, make_pool("pool", captions, images)


def cosines(images, vectors):
    """By float64, rounded as `similarities` says."""
    a, b = images.astype(np.float64), vectors.astype(np.float64)
    with np.errstate(invalid="ignore"):
        a = a / np.linalg.norm(a, axis=1, keepdims=True)
        b = b / np.linalg.norm(b, axis=1, keepdims=True)
    return (np.rint(a @ b.T * 2**24) / 2**24).astype(np.float32)


def names_of(caption):
    """The classes that a caption of plain words names."""
    spoken = {"dog": "dog", "cat": "cat", "hot dog": "hot dog"}
    spoken |= {"T-shirt": "t shirt", "t shirt": "t shirt"}
    return {i for i, name in enumerate(CLASSES) if f" {spoken[name]} " in f" {caption or ''} "}


def brute_force(captions, near, by, k, share=1.0, least=-9.0, agree=False):
    kept = set()
    for of in range(len(CLASSES)):
        rows = [
            row
            for row, caption in enumerate(captions)
            if (by == "similarity" or of in names_of(caption))
            and (by == "text" or near[row, of] >= least)
            and not (agree and np.nanargmax(near[row]) != of)
        ]
        score = np.zeros(len(captions)) if by == "text" else near[:, of]
        rows.sort(key=lambda row, score=score: (-score[row], uid_of(row)))
        rows = rows[:k] if by == "similarity" else rows
        take = len(rows) if share == 1 else int(share * 10 * (len(rows) - 1)) // 10 + 1
        kept |= set(rows[: min(take, k)] if rows else [])
    return kept


def ran(pool, tmp_path, **params):
    return run_filter(filter_from_params(TargetedRetrieval, params), pool, tmp_path / "scores")


def rows_of(result):
    return {int(uid) for uid in result.subset.uids["f1"]}


@pytest.mark.parametrize(
    "how",
    [
        {"by": "text", "k": 20},
        {"by": "text", "k": 100_000},
        {"by": "both", "k": 20},
        {"by": "both", "k": 1},
        {"by": "both", "k": 20, "least": 0.5},
        {"by": "both", "k": 1000, "share": 0.3},
        {"by": "both", "k": 30, "share": 0.3, "least": 0.0},
        {"by": "both", "k": 20, "agree": True},
        {"by": "similarity", "k": 20},
        {"by": "similarity", "k": 20, "least": 0.7},
        {"by": "similarity", "k": 20, "share": 0.5},
        {"by": "similarity", "k": 3000},
    ],
)
def test_the_union_of_the_best_of_each_class_is_kept(how, world, tmp_path):
    captions, images, paths, pool = world
    params = {"by": how["by"], "per_class": how["k"], "classes": paths["classes"]}
    if how["by"] != "text":
        params["embeddings"] = paths["embeddings"]
    given = {"share": "share", "least": "min_similarity", "agree": "agree"}
    params |= {name: how[key] for key, name in given.items() if key in how}
    near = cosines(images, np.load(paths["embeddings"]))
    result = ran(pool, tmp_path, **params)
    assert rows_of(result) == brute_force(captions, near, **how)
    assert result.counts.kept == result.counts.entries


@pytest.mark.parametrize("by", ["text", "both", "similarity"])
def test_neither_order_nor_parts_nor_blocks_matter(by, world, make_pool, tmp_path, monkeypatch):
    captions, images, paths, pool = world
    params = {"by": by, "per_class": 17, "classes": paths["classes"]}
    if by != "text":
        params["embeddings"] = paths["embeddings"]
    usual = ran(pool, tmp_path, **params)
    monkeypatch.setattr(per_class, "PENDING", 50)
    monkeypatch.setattr(lists, "CELLS", 300)
    order = np.random.default_rng(1).permutation(N)
    other = ran(make_pool("other", captions, images, order, parts=5), tmp_path, **params)
    assert other.subset.sha256 == usual.subset.sha256
    assert other.counts == usual.counts


def test_equal_uids_take_a_place_each(make_pool, tmp_path):
    pool = make_pool("p", ["dog"] * 4, np.ones((4, 3)), order=np.array([2, 1, 1, 1, 0]))
    (tmp_path / "names").write_text("dog")
    result = ran(pool, tmp_path, by="text", per_class=3, classes=str(tmp_path / "names"))
    assert result.counts.kept == 3


@pytest.mark.parametrize("seed", range(3))
def test_the_best_are_held_whatever_the_order(seed, monkeypatch):
    monkeypatch.setattr(per_class, "PENDING", 40)
    rng = np.random.default_rng(seed)
    of, uids = rng.integers(0, 4, 500), np.zeros(500, [("f0", "<u8"), ("f1", "<u8")])
    score = rng.integers(0, 12, 500).astype(np.float32)
    uids["f0"], uids["f1"] = rng.integers(0, 3, 500), rng.permutation(500)
    top = TopPerClass(5, 25)
    for some in np.array_split(np.arange(500), 11):
        top.add(of[some], score[some], uids[some], some)
    best = top.best()
    for number in range(5):
        rows = np.flatnonzero(of == number).tolist()
        rows.sort(key=lambda row: (-score[row], uids[row].tolist()))
        assert best.place[best.of == number].tolist() == rows[:25]
        assert best.rank[best.of == number].tolist() == list(range(len(rows[:25])))


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A Hot-Dog!", [2, 0]),
        ("hotdog", []),
        ("dog, hot", [0]),
        ("my T-Shirt", [3, 4]),
        ("tshirt", []),
        ("cats", []),
        ("the cat's\nbed", [1]),
        ("", []),
        (None, None),
    ],
)
def test_a_name_stands_in_a_caption_word_by_word(caption, expected, tmp_path):
    (tmp_path / "names").write_text("\n".join([*CLASSES, "!!!"]))
    compute = NamedClasses(names=str(tmp_path / "names")).open(Host())
    (found,) = compute(pa.record_batch([pa.array([caption])], ["text"])).column(0).to_pylist()
    assert found is None if expected is None else set(found) == set(expected)


TARGET = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])


@pytest.fixture
def target(make_pool):
    """A labelled pool, whose captions' features are its images' turned round."""
    return make_pool("target", ["x"] * 3, TARGET, label=["dog", "cat", None]).url


def test_a_labelled_target_gives_names_and_vectors(target, make_pool, tmp_path):
    images = [[2, 0.1, 0], [-1, 0, 0], [0, 3, 0.2], [0, -1, 0]]
    pool = make_pool("p", ["dog", "a dog", "cat", "cat"], images)
    text = ran(pool, tmp_path, target=target, per_class=1)
    assert rows_of(text) == {1, 3}
    image = ran(pool, tmp_path, target=target, per_class=1, against="images")
    assert rows_of(image) == {0, 2}
    near = ran(pool, tmp_path, target=target, by="similarity", per_class=1, against="images")
    assert rows_of(near) == {0, 2}


def test_what_is_too_near_to_the_target_is_dropped_and_not_replaced(target, make_pool, tmp_path):
    pool = make_pool("p", ["dog"] * 3, [[1, 0, 0], [5, 0, 5], [1, 2, 0]])
    params = {"target": target, "per_class": 2, "against": "images"}
    assert rows_of(ran(pool, tmp_path, **params)) == {0, 1}
    result = ran(pool, tmp_path, **params, max_target_similarity=0.9)
    assert rows_of(result) == {1}
    assert result.counts.dropped == {"no_class": 0, "not_in_top": 1, "near_target": 1}


def test_rows_without_features_are_counted(target, make_pool, tmp_path):
    pool = make_pool(
        "p", ["dog", "dog", None, "fox"], [[np.nan] * 3, [1, 0, 0], [1, 0, 0], [1] * 3]
    )
    for by in ("both", "text"):
        counts = ran(pool, tmp_path, target=target, by=by).counts
        assert counts.dropped["no_class"] == (3 if by == "both" else 2)


def test_it_combines_with_others(target, make_pool, tmp_path):
    pool = make_pool("p", ["dog", "dog", "cat"], [[1, 0, 0], [2, 1, 0], [0, 1, 0]])
    by = [TargetedRetrieval(target=target, by=by, per_class=1) for by in ("text", "similarity")]
    alone = [rows_of(run_filter(one, pool, tmp_path / "scores")) for one in by]
    both = run_filter(And(of=tuple(by)), pool, tmp_path / "scores")
    assert rows_of(both) == alone[0] & alone[1]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"classes": "c"},
        {"classes": "c", "by": "text", "per_class": 0},
        {"classes": "c", "by": "text", "min_similarity": 0.2},
        {"classes": "c", "by": "text", "share": 0.5},
        {"target": "t", "share": 0.0},
        {"target": "t", "by": "similarity", "agree": True},
        {"target": "t", "embeddings": "e"},
        {"classes": "c", "embeddings": "e", "against": "images"},
        {"classes": "c", "by": "text", "max_target_similarity": 0.9},
    ],
)
def test_parameters_that_contradict_are_refused(params):
    with pytest.raises(UsageError):
        filter_from_params(TargetedRetrieval, params)


@pytest.mark.parametrize(
    ("labels", "width", "message"),
    [(["fox", "fox", None], 3, "dog"), (["dog", "cat", None], 4, "3 dimensions.*4")],
)
def test_targets_that_do_not_fit_are_refused(labels, width, message, make_pool, tmp_path):
    target = make_pool("t", ["x"] * 3, np.eye(3, width), label=labels).url
    (tmp_path / "names").write_text("dog\ncat")
    pool = make_pool("p", ["dog"], [[1, 0, 0]])
    with pytest.raises(FilterError, match=message):
        ran(pool, tmp_path, classes=str(tmp_path / "names"), target=target)


def test_a_target_without_features_is_refused(make_pool, tmp_path):
    target = make_pool("t", ["x"], [[0, 0, 0]], label=["dog"]).url
    pool = make_pool("p", ["dog"], [[1, 0, 0]])
    with pytest.raises(FilterError, match="such as 'dog'; take their label off"):
        ran(pool, tmp_path, target=target)
    with pytest.raises(FilterError, match=r"no image feature l14_img of .*t has a direction"):
        ran(pool, tmp_path, by="text", target=target, max_target_similarity=0.9)


def test_a_path_left_empty_is_no_folder(make_pool, tmp_path, monkeypatch):
    make_pool("metadata", ["x"], [[1, 0, 0]], label=["dog"])
    monkeypatch.chdir(tmp_path)
    pool = make_pool("p", ["dog"], [[1, 0, 0]])
    with pytest.raises(FilterError, match="the path of a pool is empty"):
        ran(pool, tmp_path, target="")


def test_of_steps_that_fail_in_a_row_the_first_is_told(make_pool, tmp_path):
    target = make_pool("t", ["x"], [[1, 0, 0]]).url
    pool = make_pool("p", ["dog"], [[1, 0, 0]])
    with pytest.raises(FilterError, match=r"2 of 2 parts failed.*First.*has no column 'label'"):
        ran(pool, tmp_path, target=target)
