"""A CLIP of one's own as a scorer: what `model` may name, its embeddings, and clip_score by it."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datacomp.errors import DatacompError, FilterError, TrainingError, UsageError
from datacomp.filtering import Host, LocalExecutor, run_filter
from datacomp.filtering.run import scored
from datacomp.filtering.spec import Specs
from datacomp.training import load_encoder
from datacomp_filters.clip_model import (
    ClipEmbedding,
    ClipSimilarity,
    cosines,
    normalised,
    vectors,
)
from datacomp_filters.clip_score import ClipScore
from datacomp_filters.clip_source import find_clip

HOST = Host(device="cpu", arrays=lambda fit: {})
SMALL = "ViT-S-32-alt"


def embedded(step, images, captions):
    batch = pa.record_batch({"text": pa.array(captions, pa.string())})
    made = step.open(HOST)(batch, images)
    assert made.schema == step.outputs()
    return made


def picture(seed, size=(40, 30)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    return Image.fromarray(pixels)


def test_embeddings_are_the_runs_own_in_half_precision(clip_run):
    step = ClipEmbedding(model=str(clip_run(0)))
    images, captions = [picture(n) for n in range(3)], ["a cat", "", "dog"]
    made, encoder = embedded(step, images, captions), load_encoder(clip_run(0))
    for column, direct in ((0, encoder.encode_image(images)), (1, encoder.encode_text(captions))):
        assert made.column(column).type == pa.list_(pa.float16(), 32)
        np.testing.assert_allclose(vectors(made.column(column)), direct, rtol=2e-3, atol=1e-4)


def test_a_row_without_picture_or_caption_has_null_vectors(clip_run):
    step = ClipEmbedding(model=str(clip_run(0)))
    made = embedded(step, [None, picture(0), picture(1)], ["lost", None, "here"])
    assert made.column(0).is_valid().to_pylist() == [False, True, True]
    assert made.column(1).is_valid().to_pylist() == [False, False, True]
    assert embedded(step, [None], ["lost"]).column(0).null_count == 1


def test_a_row_depends_on_no_other_row(clip_run):
    step = ClipEmbedding(model=str(clip_run(0)))
    images, captions = [picture(n) for n in range(70)], [f"word {n}" for n in range(70)]
    together = embedded(step, images, captions)
    alone = embedded(step, images[66:67], captions[66:67])
    for column in (0, 1):
        whole = vectors(together.column(column))[66]
        np.testing.assert_allclose(vectors(alone.column(column))[0], whole, rtol=2e-3, atol=1e-4)


def test_what_is_not_finite_in_half_precision_is_null(clip_run, monkeypatch):
    step = ClipEmbedding(model=str(clip_run(0)))
    clip = step.source.load("cpu")
    clip.model.encode_image = lambda pixels: pixels.flatten(1)[:, :32] * 1e9
    monkeypatch.setattr(type(step.source), "load", lambda self, device: clip)
    made = embedded(step, [picture(0)], ["a cat"])
    assert [made.column(n).null_count for n in (0, 1)] == [1, 0]


def test_a_model_is_known_by_its_content_not_its_place(clip_run, tmp_path):
    moved = shutil.copytree(clip_run(0), tmp_path / "moved")
    here, there = (ClipEmbedding(model=str(folder)) for folder in (clip_run(0), moved))
    other = ClipEmbedding(model=str(clip_run(1)))
    keys = [Specs().step(step).key for step in (here, there, other)]
    assert keys[0] == keys[1] != keys[2]
    assert here.outputs() == there.outputs()
    assert not set(here.outputs().names) & set(other.outputs().names)


def test_what_it_makes_is_known_without_loading_torch(clip_run):
    program = (
        "import sys; from datacomp_filters.clip_model import ClipEmbedding; "
        f"print(ClipEmbedding(model={str(clip_run(0))!r}).outputs()); "
        "assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "fixed_size_list<item: halffloat>[32]" in run.stdout


def test_an_open_clip_model_with_weights_of_a_file(tmp_path):
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model, _, transform = open_clip.create_model_and_transforms(SMALL, load_weights=False)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    step = ClipEmbedding(model=f"{SMALL}/{tmp_path}/weights.safetensors")
    made = embedded(step, [picture(0)], ["a cat"])
    assert made.column(0).type == pa.list_(pa.float16(), 256)
    with torch.inference_mode():
        image = model.eval().encode_image(transform(picture(0))[None])[0].numpy()
        text = model.encode_text(open_clip.get_tokenizer(SMALL)(["a cat"]))[0].numpy()
    np.testing.assert_allclose(vectors(made.column(0))[0], image, rtol=5e-3, atol=5e-3)
    np.testing.assert_allclose(vectors(made.column(1))[0], text, rtol=5e-3, atol=5e-3)


def test_weights_of_another_architecture_are_refused(clip_run):
    step = ClipEmbedding(model=f"{SMALL}/{clip_run(0)}/weights.safetensors")
    with pytest.raises(FilterError, match=rf"could not be loaded as open_clip's {SMALL}"):
        step.open(HOST)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("nowhere", "neither the folder of a finished datacomp train, nor an open_clip"),
        (".", "a folder without run.json"),
        ("", "a model's name is empty"),
        ("ViT-B-99/openai", "neither"),
        ("ViT-B-32/weights/lost.bin", "openai"),
        ("ViT-B-16-SigLIP/webli", "takes the tokenizer of ViT-B-16-SigLIP from a model hub"),
    ],
)
def test_a_model_that_cannot_be_is_told(model, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        find_clip(model)


def test_released_weights_come_from_the_cache_alone(tmp_path, monkeypatch):
    from open_clip.pretrained import get_pretrained_cfg

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(FilterError, match=r"not on this machine.*pretrained='openai'"):
        find_clip("ViT-B-32/openai")
    place = get_pretrained_cfg("ViT-B-32", "openai")["hf_hub"].removesuffix("/")
    folder = tmp_path / "hub" / f"models--{place.replace('/', '--')}"
    weights = folder / "snapshots" / "f00d" / "open_clip_model.safetensors"
    for path, text in ((folder / "refs" / "main", "f00d"), (weights, "weights")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    found = find_clip("ViT-B-32/openai")
    assert (found.assets()[0].path, found.embed_dim) == (weights, 512)
    untagged = find_clip(f"ViT-B-32/{weights}").assets()
    assert [a.sha256() == b.sha256() for a, b in zip(found.assets(), untagged, strict=True)] == [
        True,
        False,
    ]


def test_an_unfinished_run_is_no_model(clip_run, tmp_path):
    run = shutil.copytree(clip_run(0), tmp_path / "run")
    record = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps({**record, "checkpoint_sha256": None}))
    with pytest.raises(TrainingError, match="is not finished"):
        ClipEmbedding(model=str(run)).outputs()


@pytest.mark.parametrize("file", ["recipe.json", "weights.safetensors"])
def test_a_run_that_lost_a_file_is_told(file, clip_run, tmp_path):
    run = shutil.copytree(clip_run(0), tmp_path / "run")
    (run / file).unlink()
    with pytest.raises(TrainingError, match=f"it has no {file}"):
        ClipEmbedding(model=str(run)).outputs()


def test_a_changed_checkpoint_is_refused(clip_run, tmp_path):
    run = shutil.copytree(clip_run(0), tmp_path / "run")
    with (run / "weights.safetensors").open("ab") as file:
        file.write(b"more")
    with pytest.raises(DatacompError, match="is not the checkpoint that"):
        ClipEmbedding(model=str(run)).open(HOST)


def test_vectors_without_direction_have_no_similarity():
    rows = np.array([[3, 4], [0, 0], [np.nan, 1], [1e-7, 0]], np.float32)
    assert cosines(rows, rows)[[0, 3]].tolist() == pytest.approx([1, 1])
    assert np.isnan(cosines(rows, rows)[1:3]).all()
    assert np.isnan(normalised(rows)[1:3]).all()


def test_vectors_come_back_from_a_slice_of_a_file(tmp_path):
    kind = pa.list_(pa.float16(), 2)
    values = [np.arange(2, dtype=np.float16) + n if n % 3 else None for n in range(10)]
    pq.write_table(pa.table({"v": pa.array(values, kind)}), tmp_path / "v.parquet")
    column = pq.read_table(tmp_path / "v.parquet").column("v").slice(2, 5)
    found = vectors(column)
    assert found.dtype == np.float32
    assert np.isnan(found[:, 0]).tolist() == [False, True, False, False, True]
    assert found[[0, 2, 3]].tolist() == [[2, 3], [4, 5], [5, 6]]


def test_a_clip_trained_on_a_trusted_set_ranks_the_pool(clip_run, pictured, tmp_path):
    chosen = ClipScore(fraction=0.15, model=str(clip_run(0)))
    result = run_filter(chosen, pictured, tmp_path / "scores", LocalExecutor(1))
    assert result.subset.n == 15
    assert result.counts.dropped == {"no_score": 1, "below_cut": 84}
    found = scores_of(chosen, pictured, tmp_path / "scores")
    direct = similarities(load_encoder(clip_run(0)), pictured)
    assert np.isnan(found).tolist() == np.isnan(direct).tolist()
    np.testing.assert_allclose(found, direct, atol=2e-3)
    assert set(result.subset.uids["f1"]) == set(uids_of(pictured)["f1"][np.argsort(-found)[:15]])


def test_another_cut_computes_nothing_again(clip_run, pictured, tmp_path):
    model, store = str(clip_run(0)), tmp_path / "scores"
    run_filter(ClipScore(fraction=0.15, model=model), pictured, store, LocalExecutor(1))
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")}
    other = ClipScore(threshold=0.0, model=model)
    run_filter(other, pictured, store, LocalExecutor(1))
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*.parquet")} == before


def test_a_model_is_found_from_another_folder(clip_run, tmp_path, monkeypatch):
    monkeypatch.chdir(clip_run(0).parent)
    named = ClipScore(fraction=0.15, model=clip_run(0).name)
    weights = ClipScore(fraction=0.15, model=f"{SMALL}/{clip_run(0).name}/weights.safetensors")
    monkeypatch.chdir(tmp_path)
    assert named == ClipScore(fraction=0.15, model=str(clip_run(0)))
    assert weights.model == f"{SMALL}/{clip_run(0)}{os.sep}weights.safetensors"


def test_arch_column_and_model_exclude_each_other():
    for other in ({"arch": "b32"}, {"column": "mine"}):
        with pytest.raises(UsageError, match="give one of them"):
            ClipScore(fraction=0.1, model="runs/dfn", **other)


def test_the_model_reads_no_score_column(clip_run):
    chosen = ClipScore(fraction=0.15, model=str(clip_run(0)))
    assert chosen.columns() == ()
    assert any(str(clip_run(0)) in rule for rule in chosen.rules())
    assert isinstance(chosen.steps()[0], ClipSimilarity)


def scores_of(chosen, pool, store):
    with scored(chosen, pool, store, LocalExecutor(1)) as view:
        read = chosen.score().open(view)
        return np.concatenate([read(rows) for rows in view.parts()])


def uids_of(pool):
    return np.concatenate([pool.uids(part) for part in pool.parts])


def similarities(encoder, pool):
    samples, places, captions = pool.samples(), [], []
    for part in pool.parts:
        captions += pool.read(part, ["text"]).column(0).to_pylist()
        places += samples.locate(pool.uids(part)).tolist()
    there = [row for row, place in enumerate(places) if place >= 0]
    images = encoder.encode_image([samples.read(places[row]).decode() for row in there])
    texts = encoder.encode_text([captions[row] for row in there])
    found = np.full(len(places), np.nan)
    lengths = np.linalg.norm(images, axis=1) * np.linalg.norm(texts, axis=1)
    found[there] = (images * texts).sum(axis=1) / lengths
    return found
