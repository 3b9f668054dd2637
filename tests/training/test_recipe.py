"""The scales and what stands for them; not what they compute."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import open_clip
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacomp.errors import TrainingError, UnknownNameError
from datacomp.training import load_scale, published_recipes, scale_names
from datacomp.training import recipe as recipe_module
from datacomp.training.recipe import Recipe
from datacomp.training.run import read_recipe

# datacomp/scale_configs.py at 4a8df19: model, samples, batch, learning rate, warm-up, beta2.
DATACOMP = {
    "small": ("ViT-B-32", 12_800_000, 4096, 5e-4, 500, 0.98),
    "medium": ("ViT-B-32", 128_000_000, 4096, 5e-4, 500, 0.98),
    "large": ("ViT-B-16", 1_280_000_000, 8192, 5e-4, 500, 0.98),
    "xlarge": ("ViT-L-14", 12_800_000_000, 90112, 1e-3, 10_000, 0.95),
}
# The first 16 digits of every published id: reports and boards hold them, so none may ever move.
IDS = {
    ("smoke", None): "825e1ca222d1227d",
    ("smoke", "sequential"): "d9a23ec8dac3d65a",
    ("tiny", None): "b138f90e48b1f8b1",
    ("tiny", "sequential"): "a7c123936fb662be",
    ("small", None): "47c91a53b7280e56",
    ("small", "sequential"): "875dd6c6176861fa",
    ("medium", None): "8542623013f951ec",
    ("medium", "sequential"): "915950c82e1aabc2",
    ("large", None): "a5f0c888c5a69686",
    ("large", "sequential"): "f4e00851d3d292cf",
    ("xlarge", None): "ef60510aa6309775",
    ("xlarge", "sequential"): "ef6f4bae714d9963",
    ("xlarge", "stable-adamw"): "bc40c28004ef0bda",
    ("xlarge", "sequential-stable-adamw"): "da32794f21f94b70",
}


def test_scales_are_listed_from_small_to_large() -> None:
    assert scale_names() == ("smoke", "tiny", "small", "medium", "large", "xlarge")


@pytest.mark.parametrize("name", DATACOMP)
def test_scales_have_the_constants_of_datacomp(name: str) -> None:
    model, samples, batch, learning_rate, warmup, beta2 = DATACOMP[name]
    recipe = load_scale(name)
    assert recipe.model == open_clip.get_model_config(model)
    assert (recipe.samples_seen, recipe.global_batch_size) == (samples, batch)
    assert (recipe.learning_rate, recipe.warmup_steps) == (learning_rate, warmup)
    assert (recipe.beta1, recipe.beta2, recipe.epsilon) == (0.9, beta2, 1e-6)
    assert (recipe.weight_decay, recipe.crop_scale) == (0.2, (0.9, 1.0))


@pytest.mark.parametrize(
    ("name", "steps"),
    [("small", 3125), ("medium", 31_250), ("large", 156_250), ("xlarge", 142_045)],
)
def test_steps_are_rounded_once(name: str, steps: int) -> None:
    assert load_scale(name).steps == steps


@pytest.mark.parametrize("name", scale_names())
def test_a_recipe_survives_json(name: str) -> None:
    recipe = load_scale(name)
    again = Recipe.from_json(asdict(recipe))
    assert again == recipe
    assert again.recipe_id == recipe.recipe_id


def test_every_field_enters_the_id() -> None:
    recipe = load_scale("tiny")
    other = {
        "scale": "x",
        "model": {**recipe.model, "embed_dim": 1},
        "crop_scale": (0.5, 1.0),
        **{name: "x" for name in ("precision", "sampler", "augmentation", "loss", "optimizer")},
        "schedule": "x",
    }
    for name, value in asdict(recipe).items():
        changed = replace(recipe, **{name: other.get(name, 0 if value else 1)})
        assert changed.recipe_id != recipe.recipe_id, name


def test_a_recipe_with_a_missing_or_unknown_field_is_refused() -> None:
    value = asdict(load_scale("tiny"))
    value["batch"] = value.pop("global_batch_size")
    with pytest.raises(TrainingError, match=r"missing fields \['global_batch_size'\].*\['batch'\]"):
        Recipe.from_json(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(asdict(load_scale("tiny")))), given_value=JSON, text=st.data())
def test_a_hostile_recipe_file_is_told_or_can_be_used(
    tmp_path_factory: pytest.TempPathFactory, name: str, given_value: Any, text: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = json.dumps(asdict(load_scale("tiny")) | {name: given_value})
    cut = text.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    (folder / "recipe.json").write_text(whole[:cut])
    try:
        recipe = read_recipe(folder)
    except TrainingError:
        return
    assert min(recipe.image_size, recipe.context_length, recipe.samples_seen) > 0
    assert recipe.steps >= 0
    again = Recipe.from_json(json.loads(json.dumps(asdict(recipe))))
    assert (again, again.recipe_id) == (recipe, recipe.recipe_id)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "recursion"),
        ("[]", "not a JSON object"),
        ('{"learning_rate": NaN}', "not JSON compliant"),
        ('{"scale": "\\ud800"}', "surrogates not allowed"),
        ("\xff", "codec"),
    ],
)
def test_what_is_no_json_object_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "recipe.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(TrainingError, match=f"recipe.json cannot be read: .*{told}"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("global_batch_size", 0, "impossible global_batch_size 0"),
        ("global_batch_size", "64", 'impossible global_batch_size "64"'),
        ("learning_rate", float("inf"), "impossible learning_rate Infinity"),
        ("warmup_steps", True, "impossible warmup_steps true"),
        ("crop_scale", [1, 2, 3], r"impossible crop_scale \[1, 2, 3\]"),
        ("model", {}, "impossible model {}"),
    ],
)
def test_an_impossible_field_is_named(name: str, value: Any, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        Recipe.from_json(asdict(load_scale("tiny")) | {name: value})


def test_an_unknown_scale_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'medium'"):
        load_scale("meduim")


def test_published_ids_do_not_move() -> None:
    published = {named: recipe_id[:16] for recipe_id, named in published_recipes().items()}
    assert published == IDS


@pytest.mark.parametrize(("scale", "variant"), [named for named in IDS if named[1]])
def test_a_variant_differs_from_its_scale_in_what_its_file_names(scale: str, variant: str) -> None:
    plain, varied = asdict(load_scale(scale)), asdict(load_scale(scale, variant))
    changed = {name for name in plain if plain[name] != varied[name]}
    expected = {"sequential": {"sampler"}, "stable-adamw": {"optimizer"}}
    assert changed == expected.get(variant, {"sampler", "optimizer"})


def test_an_edited_scale_has_another_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_scale("tiny").recipe_id
    original = Path(recipe_module.__file__).parent / "scales" / "tiny.json"
    value = json.loads(original.read_text())
    monkeypatch.setattr(recipe_module, "_folder", lambda: tmp_path)
    ids = set()
    for change in ({}, {"weight_decay": 0.1}, {"model": {**value["model"], "embed_dim": 64}}):
        (tmp_path / "tiny.json").write_text(json.dumps(value | change))
        ids.add(load_scale("tiny").recipe_id)
    assert before in ids
    assert len(ids) == 3


def test_a_variant_of_another_scale_lists_those_of_this_one() -> None:
    told = "no variant of scale 'tiny' named 'stable-adamw'.*1 are known: sequential"
    with pytest.raises(UnknownNameError, match=told):
        load_scale("tiny", "stable-adamw")
