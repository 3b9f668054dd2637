"""FLYT with a whole CLIP as its reference, which sees the pictures of pool and labelled set."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datacomp.errors import FilterError, UsageError
from datacomp.filtering import LocalExecutor, filter_class, filter_from_params
from datacomp.filtering.fitting import compute_fits
from datacomp.pool import index_pool, open_pool

SHORT = {
    "training_steps": 3,
    "upstream_batch": 24,
    "downstream_batch": 16,
    "warmup_steps": 1,
    "micro_batch": 16,
}


def copied(pool, folder, labels=None):
    """The pool again, with random embeddings of 32 dimensions, and labels if they are given."""
    shutil.copytree(pool.url, folder)
    random, start = np.random.default_rng(0), 0
    for path in sorted((folder / "metadata").glob("*.parquet")):
        table = pq.read_table(path)
        stop = start + len(table)
        if labels is not None:
            table = table.append_column("label", pa.array(labels[start:stop], pa.string()))
            pq.write_table(table, path)
        keys = ("b32_img", "b32_txt")
        arrays = {key: random.normal(size=(len(table), 32)).astype(np.float16) for key in keys}
        np.savez(path.with_suffix(".npz"), **arrays)
        start = stop
    index_pool(str(folder))
    return open_pool(str(folder))


@pytest.fixture(scope="module")
def pools(pictured, clip_run, tmp_path_factory):
    """A pool of 100 rows, and a labelled set of 64 in 3 classes, two rows without label."""
    folder = tmp_path_factory.mktemp("pictures")
    labels = [f"class {row % 3}" for row in range(62)] + [None, ""]
    trusted = open_pool(str(Path(clip_run(0)).parent / "pool"))
    return copied(pictured, folder / "pool"), copied(trusted, folder / "trusted", labels)


@pytest.fixture
def fit(pools, clip_run, tmp_path):
    """Train; the fit, and the lines that it told."""
    pool, trusted = pools

    def fit_(store="scores", name="flyt", pool=pool, **params):
        given = {**SHORT, "downstream": trusted.url, "reference_model": str(clip_run(0)), **params}
        lines = []
        told = type("", (), {"advance": lambda self, n=1, note="": lines.append(note)})()
        chosen = filter_from_params(filter_class(name), given)
        fitted = compute_fits(chosen, pool, tmp_path / store, LocalExecutor(), told)
        return fitted[-1], lines

    return fit_


def test_a_whole_clip_teaches_the_head(fit, pools):
    dead, dead_trusted = (pool.n_rows - len(pool.samples()) for pool in pools)
    fitted, lines = fit()
    assert fitted.arrays["widths"].tolist() == [32, 32]
    assert fitted.last["step"] == 2
    assert fitted.last["reference_rate"] < 5e-5
    assert np.isfinite(list(fitted.last.values())).all()
    assert fitted.last["d_std"] > 0
    assert any(f"64 labelled images; {2 + dead_trusted} lack label" in line for line in lines)
    assert any(f"100 rows; {dead} without usable embeddings" in line for line in lines)
    again, _ = fit("other")
    assert again.arrays["gate.weight"].tobytes() == fitted.arrays["gate.weight"].tobytes()


def test_another_clip_and_adapters_are_other_trainings(fit, clip_run):
    folders = {
        fit()[0].folder,
        fit(reference_model=str(clip_run(1)))[0].folder,
        fit(reference_model=None)[0].folder,
        fit(reference_rate=1e-3)[0].folder,
    }
    assert len(folders) == 4


def test_fewer_pictures_are_another_training(fit, pools, tmp_path):
    def without_a_shard(pool, folder):
        shutil.copytree(pool.url, folder)
        for file in (folder / "shards").glob("00000001*"):
            file.unlink()
        index_pool(str(folder))
        return open_pool(str(folder))

    pool, trusted = (
        without_a_shard(whole, tmp_path / name)
        for whole, name in zip(pools, ("pool", "trusted"), strict=True)
    )
    assert len(pool.samples()) < len(pools[0].samples())
    folders = {
        fit(training_steps=1)[0].folder,
        fit(training_steps=1, pool=pool)[0].folder,
        fit(training_steps=1, downstream=trusted.url)[0].folder,
    }
    assert len(folders) == 3


def test_m_flyt_learns_from_pictures_as_well(fit):
    fitted, _ = fit(name="mflyt", scores="original_width,original_height")
    assert np.abs(fitted.arrays["weight"]).max() > 0


def test_a_broken_picture_gives_its_place_to_another(fit, pools, tmp_path):
    shutil.copytree(pools[0].url, tmp_path / "broken")
    tar = next((tmp_path / "broken" / "shards").glob("*.tar"))
    index = open_pool(str(tmp_path / "broken")).samples()
    data = bytearray(tar.read_bytes())
    row = next(row for row in index.samples if index.shards[int(row["shard"])] == tar.name)
    start = int(row["image_offset"])
    data[start : start + int(row["image_size"])] = bytes(int(row["image_size"]))
    tar.write_bytes(data)
    fitted, _ = fit(pool=open_pool(str(tmp_path / "broken")), training_steps=1, upstream_batch=200)
    assert json.loads(fitted.log.read_text().splitlines()[-1])["step"] == 0


def test_what_cannot_be_a_reference_is_refused(fit, pools, tmp_path):
    with pytest.raises(UsageError, match="model=nothing"):
        fit(reference_model="nothing")
    one = copied(pools[1], tmp_path / "one")
    for path in (tmp_path / "one" / "metadata").glob("*.parquet"):
        table = pq.read_table(path)
        labels = pa.array(["same"] * len(table))
        pq.write_table(table.set_column(table.column_names.index("label"), "label", labels), path)
    index_pool(one.url)
    with pytest.raises(FilterError, match="has 1 classes with pictures"):
        fit(downstream=one.url)
