"""The teacher and the trusted set, at the smoke scale; what the real teacher sees is measured."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from datacomp.errors import PoolError
from datacomp.pool import open_pool
from datacomp.pool.tiny.pictures import pictures
from datacomp.training import load_scale, teacher
from datacomp.training.encoder import load_encoder

TRUSTED = replace(teacher.TRUSTED, rows=80)


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        recipe = replace(load_scale("smoke"), samples_seen=192)
        patch.setattr(teacher, "teacher_recipe", lambda: recipe)
        patch.setattr(teacher, "POOL", replace(teacher.POOL, rows=80))
        yield patch


@pytest.fixture(scope="module")
def cache(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("cache")
    small.setenv("DATACOMP_CACHE", str(path))
    return path


@pytest.fixture(scope="module")
def trusted(cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("pools") / "trusted"
    teacher.build_trusted(out, config=TRUSTED)
    return out


def column(pool, name):
    return [value for part in pool.parts for value in pool.read(part, [name])[name].to_pylist()]


def feature(pool, key):
    return np.concatenate([pool.features(part, key) for part in pool.parts]).astype(np.float32)


def test_the_trusted_set_is_a_clean_labelled_pool_of_the_teachers_pictures(trusted):
    pool = open_pool(str(trusted))
    manifest = pool.require_manifest()
    assert (manifest.n_rows, manifest.n_samples, manifest.n_problems) == (80, 80, 0)
    assert set(pool.truth()["truth_kind"].to_pylist()) == {"clean"}
    assert all(source["licence"] for source in manifest.sources)
    names = {picture.concept.name for picture in pictures("teacher")}
    for label, text in zip(column(pool, "label"), column(pool, "text"), strict=True):
        assert label in names
        assert label.lower() in text.lower()


def test_its_features_are_those_of_the_encoder_it_brings(trusted):
    pool = open_pool(str(trusted))
    encoder = load_encoder(trusted / "encoder")
    assert manifest_scores(pool).startswith(f"l14: {encoder.name};")
    texts = encoder.encode_text(column(pool, "text"))
    np.testing.assert_allclose(feature(pool, "l14_txt"), texts, atol=1e-2)
    a, b = feature(pool, "l14_img"), feature(pool, "l14_txt")
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(column(pool, "clip_l14_similarity_score"), cosines, atol=1e-5)


def manifest_scores(pool):
    return pool.require_manifest().origin["scores"]


def test_it_shares_no_picture_with_the_pool_and_no_uid_with_the_teachers_own():
    assert teacher.TRUSTED.split == "teacher"
    assert teacher.TRUSTED.seed != teacher.POOL.seed


def test_building_again_does_nothing_and_another_place_gives_the_same(trusted, tmp_path):
    before = (trusted / "pool.json").stat().st_mtime_ns
    teacher.build_trusted(trusted, config=TRUSTED)
    assert (trusted / "pool.json").stat().st_mtime_ns == before
    teacher.build_trusted(tmp_path / "again", config=TRUSTED)
    assert (tmp_path / "again" / "pool.json").read_bytes() == (trusted / "pool.json").read_bytes()


def test_a_place_that_is_taken_is_refused_before_a_teacher_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "teacher_run", lambda progress: pytest.fail("trained"))
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(PoolError, match="is no tiny pool"):
        teacher.build_trusted(tmp_path, config=TRUSTED)


def test_a_training_left_unfinished_by_an_older_version_goes_on(cache, trusted, tmp_path, small):
    (run,) = cache.glob("teacher/*/run")
    small.setenv("DATACOMP_CACHE", str(tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "train", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            teacher.teacher_run()
    (samples,) = tmp_path.glob("teacher/*/pool/index/*/samples.npy")
    old = np.load(samples)
    np.save(samples, old[list(old.dtype.names[:-1])].copy())
    again = teacher.teacher_run()
    small.setenv("DATACOMP_CACHE", str(cache))
    assert (again / "weights.safetensors").read_bytes() == (
        run / "weights.safetensors"
    ).read_bytes()


def test_a_finished_teacher_needs_nothing_but_its_run(cache, trusted, tmp_path, monkeypatch):
    assert not list(cache.glob("teacher/*/pool"))
    shutil.copytree(cache / "teacher", tmp_path / "teacher")
    monkeypatch.setenv("DATACOMP_CACHE", str(tmp_path))
    monkeypatch.setattr(teacher, "train", lambda *a, **k: pytest.fail("trained"))
    assert teacher.tiny_teacher().name == load_encoder(trusted / "encoder").name
