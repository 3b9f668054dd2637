"""The filters that learn, or look at pictures with a model, hold to the contract as well.

What they learn here is nothing: a few steps on a few pictures. What they look for is little: two
captions a picture, writing in small pictures.
"""

from dataclasses import replace

import numpy as np
import pytest

from datacomp.filtering.conformance import CHECKS, subject_of
from datacomp.pool import index_pool, open_pool
from datacomp.pool.tiny.build import build_tiny
from datacomp.pool.tiny.config import TinyConfig
from datacomp.training import load_scale, train, whole_pool

WIDTHS = {"b32_img": 512, "b32_txt": 512, "l14_img": 768, "l14_txt": 768}
FLYT = "training_steps=2 warmup_steps=1 upstream_batch=8 downstream_batch=8"
LEARNED = {
    "el2n": "models={run} low=0.1 high=0.3",
    "flyt": f"downstream={{trusted}} {FLYT}",
    "mflyt": "scores=clip_b32_similarity_score,clip_l14_similarity_score "
    f"downstream={{trusted}} {FLYT}",
    "normsim": "fraction=0.2 target={trusted}",
    "sieve": "captioner=small trusted={trusted} captioner_steps=2 k=2",
    "targeted_retrieval": "target={trusted} per_class=2",
    "tmars": "model={run} fraction=0.3 side=128",
    "vas": "target={trusted}",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A labelled set of 24 pictures, with features as wide as OpenAI's; a CLIP trained on it."""
    folder = tmp_path_factory.mktemp("learned")
    trusted, run = folder / "trusted", folder / "run"
    config = TinyConfig(rows=24, seed=1, mix={"clean": 1.0}, split="teacher", labels=True)
    build_tiny(trusted, config)
    pool, rng = open_pool(str(trusted)), np.random.default_rng(0)
    recipe = replace(load_scale("smoke"), samples_seen=32, global_batch_size=16, warmup_steps=1)
    train(recipe, pool, whole_pool(pool), run, subset_name="trusted", seed=0)
    for part in pool.parts:
        shapes = {key: (part.n_rows, width) for key, width in WIDTHS.items()}
        arrays = {key: rng.normal(size=s).astype(np.float16) for key, s in shapes.items()}
        np.savez(trusted / "metadata" / f"{part.name}.npz", **arrays)
    index_pool(str(trusted))
    return {"trusted": trusted, "run": run}


@pytest.mark.parametrize("name", LEARNED)
def test_it_holds_to_the_contract(name, made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    subject = subject_of(name, *LEARNED[name].format(**made).split())
    results = [check.run(subject) for check in CHECKS]
    assert [result for result in results if result.status == "failed"] == []
    assert {"runs", "part_split"} <= {r.check for r in results if r.status == "passed"}
