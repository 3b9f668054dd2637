"""soft_cap and hard_cap in selection files; that copies reach the subset, the shards, the trainer.

What is drawn is tested in tests/subset/test_soft_cap.py.
"""

import io
import json
import tarfile
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.errors import UsageError
from datacomp.filtering import run_filter
from datacomp.filtering.selection_file import read_selection
from datacomp.filtering.tree import from_tree, to_tree
from datacomp.pool import index_pool, open_pool
from datacomp.shards import Layout, reshard
from datacomp.subset import UID_DTYPE, format_uids, read_subset
from datacomp.training import load_scale
from datacomp.training.data import open_data

HOW = ["soft_cap", "clocks", "hard_cap"]


def tree(how, **params):
    if how == "clocks":
        return {"soft_cap": {"column": "s", "method": "clocks", **params}}
    return {how: {"column": "s", **params}}


@pytest.fixture
def pool(make_pool):
    scores = np.random.default_rng(0).normal(0, 2, 300).astype(np.float32)
    scores[::10] = np.nan
    return make_pool(*({"s": part} for part in np.array_split(scores, 3)))


@pytest.fixture
def run(tmp_path):
    return lambda tree, pool: run_filter(from_tree(tree), pool, tmp_path / "scores")


@pytest.mark.parametrize("how", HOW)
def test_entries_rows_and_reasons_add_up(run, pool, how):
    result = run(tree(how, draws=500), pool)
    counts = result.counts
    assert (counts.rows, counts.entries, counts.dropped["no_score"]) == (300, 500, 30)
    assert counts.kept + counts.dropped["not_drawn"] + 30 == 300
    assert result.subset.n_unique == counts.kept < 270


@pytest.mark.parametrize("how", HOW)
def test_as_many_are_drawn_as_the_pool_has_rows_also_from_what_others_left(run, pool, how):
    assert run(tree(how), pool).subset.n == 300
    half = {"top_fraction": {"column": "s", "fraction": 0.5}}
    left = run({"cascade": [half, tree(how)]}, pool)
    assert left.subset.n == 300
    assert left.counts.kept <= 150


@pytest.mark.parametrize("how", HOW)
def test_from_a_pool_without_rows_nothing_is_drawn(run, make_pool, how):
    empty = make_pool({"s": np.empty(0)}, {"s": np.empty(0)})
    assert run(tree(how), empty).subset.n == 0
    with pytest.raises(UsageError, match="no row has a score"):
        run(tree(how, draws=3), empty)


def test_the_default_batch_makes_1280_rounds(run, make_pool):
    pool = make_pool({"s": np.linspace(0, 9, 20)})
    rounds_of_two = tree("soft_cap", draws=2560, alpha=0.5)
    explicit = tree("soft_cap", draws=2560, alpha=0.5, batch=2)
    assert run(rounds_of_two, pool).subset.sha256 == run(explicit, pool).subset.sha256


@pytest.mark.parametrize("how", HOW)
def test_a_tree_and_a_lock_build_it_again(run, pool, tmp_path, how):
    chosen = from_tree(tree(how, seed=3, draws=44))
    assert from_tree(json.loads(json.dumps(to_tree(chosen)))) == chosen
    first = run(tree(how, seed=3, draws=44), pool)
    first.write(tmp_path / "mine.npy")
    again = run_filter(read_selection(tmp_path / "mine.npy.lock.json"), pool, tmp_path / "other")
    assert again.subset.sha256 == first.subset.sha256


def test_the_rules_tell_what_is_drawn():
    soft, clocks, hard = (" ".join(from_tree(tree(how, seed=7)).rules()) for how in HOW)
    assert "rounds of draws / 1,280 (rounded up)" in soft
    assert "seed 7" in soft
    assert "lowers its score by 0.15" in soft
    assert "one after another" in clocks
    assert "drawn 15 times is passed over" in hard


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (tree("soft_cap", alpha=-1), "alpha is between 0 and 1e"),
        (tree("soft_cap", alpha=float("nan")), "alpha is between 0 and 1e"),
        (tree("soft_cap", batch=0), "batch is 1 or more"),
        (tree("soft_cap", draws=0), "draws is 1 or more"),
        (tree("clocks", batch=5), "exact for a batch of 1, got batch=5"),
        (tree("hard_cap", max_repeats=0), "max_repeats is 1 or more"),
        (tree("hard_cap", alpha=1), "no parameter 'alpha'"),
        ({"soft_cap": {}}, "soft_cap needs column"),
    ],
)
def test_wrong_parameters_are_refused(params, expected):
    with pytest.raises(UsageError, match=expected):
        from_tree(params)


def test_what_the_pool_cannot_give_is_refused(run, pool):
    with pytest.raises(UsageError, match="271 different rows, but only 270 have a score"):
        run(tree("soft_cap", batch=271), pool)
    with pytest.raises(UsageError, match="541 draws are impossible"):
        run(tree("hard_cap", draws=541, max_repeats=2), pool)


def write_samples(folder, n):
    """A pool of n pictures with the captions "0", "1", ..., and scores 0, 1/4, 2/4, ..."""
    (folder / "metadata").mkdir(parents=True)
    (folder / "shards").mkdir()
    uids = [f"{row:016x}{row:016x}" for row in range(n)]
    table = pa.table({"uid": uids, "s": np.arange(n) / 4, "text": [str(row) for row in range(n)]})
    pq.write_table(table, folder / "metadata" / "0.parquet")
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG")
    with tarfile.open(folder / "shards" / "00000000.tar", "w") as tar:
        for row, uid in enumerate(uids):
            members = {"json": json.dumps({"uid": uid}), "png": buffer.getvalue(), "txt": str(row)}
            for suffix, data in members.items():
                data = data.encode() if isinstance(data, str) else data
                info = tarfile.TarInfo(f"{row:09d}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    index_pool(str(folder))
    return open_pool(str(folder))


def test_copies_reach_the_file_the_shards_and_the_trainer(run, tmp_path):
    pool = write_samples(tmp_path / "pictures", 12)
    run(tree("clocks", draws=64), pool).write(tmp_path / "mine.npy")
    raw = np.load(tmp_path / "mine.npy")
    assert raw.dtype == UID_DTYPE
    assert len(raw) == 64
    assert raw.tolist() == sorted(raw.tolist())
    subset = read_subset(tmp_path / "mine.npy")
    uids, copies = subset.counts()
    assert len(uids) < 64
    assert copies.max() > 3
    # DataComp's resharder counts copies so.
    found = np.searchsorted(raw, uids, "right") - np.searchsorted(raw, uids, "left")
    assert found.tolist() == copies.tolist()

    reshard(pool, subset, tmp_path / "out", layout=Layout(samples_per_shard=20))
    names = []
    for path in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(path) as tar:
            names += [name for name in tar.getnames() if name.endswith(".png")]
    expected = [
        f"{uid}-{copy}.png"
        for uid, n in zip(format_uids(uids), copies, strict=True)
        for copy in range(n)
    ]
    assert names == expected

    recipe = replace(load_scale("smoke"), samples_seen=64, global_batch_size=16, warmup_steps=1)
    batches = open_data(pool, subset).batches(recipe, seed=0, start=0, threads=1)
    seen = Counter(caption for batch in batches for caption in batch.captions)
    assert seen == {str(int(uid["f0"])): n for uid, n in zip(uids, copies, strict=True)}
