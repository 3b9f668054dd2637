"""Optimizer, schedule and transforms against the originals they claim to equal."""

import math
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import RandomResizedCrop

from datacomp.training import Recipe, load_scale
from datacomp.training.model import build_model, build_optimizer, learning_rate_at
from datacomp.training.transform import (
    MEAN,
    STD,
    crop_box,
    crop_numbers,
    eval_pixels,
    to_model_input,
)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_recipe_stands_for_initial_weights(recipe: Recipe) -> None:
    recipes = (recipe, recipe, replace(recipe, init_seed=1))
    first, again, other = (build_model(each).state_dict() for each in recipes)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["text_projection"], other["text_projection"])


def test_building_a_model_leaves_the_global_generator_alone(recipe: Recipe) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    build_model(recipe)
    assert torch.equal(before, torch.get_rng_state())


def test_only_matrices_decay(recipe: Recipe) -> None:
    model = build_model(recipe)
    plain, decayed = build_optimizer(model, recipe).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert {"logit_scale", "ln_final.weight"} <= {names[id(p)] for p in plain["params"]}
    assert {"positional_embedding", "token_embedding.weight"} <= {
        names[id(p)] for p in decayed["params"]
    }
    assert (plain["weight_decay"], decayed["weight_decay"]) == (0.0, 0.2)
    assert len(plain["params"]) + len(decayed["params"]) == len(names)


def test_learning_rate_rises_to_the_peak_and_falls_to_zero() -> None:
    recipe = load_scale("small")
    rates = [learning_rate_at(step, recipe) for step in range(recipe.steps)]
    assert rates[0] == pytest.approx(5e-4 / 500)
    assert max(rates) == rates[499] == rates[500] == 5e-4
    assert rates[500 + (3125 - 500) // 2] == pytest.approx(2.5e-4, rel=1e-2)
    assert rates[-1] == pytest.approx(0.5 * 5e-4 * (1 + math.cos(math.pi * 2624 / 2625)))


@pytest.mark.parametrize("shape", [(72, 72), (100, 60), (37, 91), (48, 48)])
def test_eval_transform_equals_open_clip(shape: tuple[int, int]) -> None:
    image = picture(*shape)
    theirs = open_clip.image_transform(48, is_train=False, mean=MEAN, std=STD)(image)
    ours = to_model_input(torch.from_numpy(eval_pixels(image, 48)[None].copy()))[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@given(width=st.integers(1, 400), height=st.integers(1, 400), position=st.integers(0, 2**40))
def test_crops_stay_inside(width: int, height: int, position: int) -> None:
    numbers = crop_numbers(np.array([position]), seed=0)[0]
    left, top, right, bottom = crop_box(width, height, (0.9, 1.0), numbers)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_crops_are_distributed_like_torchvision() -> None:
    ours = np.array([crop_box(200, 160, (0.4, 1), n) for n in crop_numbers(np.arange(4000), 0)])
    torch.manual_seed(0)
    image = picture(200, 160)
    theirs = np.array(
        [RandomResizedCrop.get_params(image, (0.4, 1.0), (3 / 4, 4 / 3)) for _ in range(4000)]
    )
    widths, heights = ours[:, 2] - ours[:, 0], ours[:, 3] - ours[:, 1]
    for mine, reference in (
        (ours[:, 1], theirs[:, 0]),
        (ours[:, 0], theirs[:, 1]),
        (heights, theirs[:, 2]),
        (widths, theirs[:, 3]),
    ):
        error = math.sqrt((mine.var() + reference.var()) / 4000)
        assert abs(mine.mean() - reference.mean()) < 4 * error
