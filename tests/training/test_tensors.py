"""The tensors of the published recipes, told without torch, against open_clip's models."""

import open_clip
import pytest
import torch

from datacomp.training import load_scale, published_recipes
from datacomp.training.tensors import recipe_tensors, tensors_of

KINDS = {torch.float32: "F32", torch.int64: "I64"}


def built(model):
    with torch.device("meta"):
        state = open_clip.CLIP(**model).state_dict()
    return {name: (KINDS[one.dtype], tuple(one.shape)) for name, one in state.items()}


def told(tensors):
    return {name: (one.dtype, one.shape) for name, one in tensors.items()}


@pytest.mark.parametrize("scale", ["smoke", "tiny", "small", "large", "xlarge"])
def test_they_are_those_of_the_model(scale):
    model = load_scale(scale).model

    assert told(tensors_of(model)) == built(model)


def test_a_deeper_resnet_and_a_larger_picture():
    model = dict(load_scale("tiny").model)
    model["vision_cfg"] = model["vision_cfg"] | {"layers": [2, 1, 3, 2], "image_size": 96}

    assert told(tensors_of(model)) == built(model)


def test_every_published_recipe_has_some():
    assert all(recipe_tensors(one) for one in published_recipes())
    assert recipe_tensors("0" * 64) is None
