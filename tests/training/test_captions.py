"""Captions without their padding, and gradients of the words that a batch has."""

from dataclasses import replace

import pytest
import torch

from datacomp.training import load_scale
from datacomp.training.captions import caption_lengths, encode_captions, tokens_read
from datacomp.training.distributed import Ranks
from datacomp.training.model import build_model, build_tokenizer
from datacomp.training.vocabulary import Vocabulary

CAPTIONS = (
    "",
    "a dog",
    "a photo of a red bicycle that leans on a wall",
    "words " * 100,
    "the second of two cats",
)
SMALL_EYES = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 32, "head_width": 16}


@pytest.mark.parametrize("scale", ["small", "xlarge"])
def test_padding_has_no_part_in_features_and_gradients(scale: str) -> None:
    """Two layers of each published text transformer: large and medium have that of small."""
    recipe = load_scale(scale)
    text = {**recipe.model["text_cfg"], "layers": 2}
    recipe = replace(recipe, model={**recipe.model, "vision_cfg": SMALL_EYES, "text_cfg": text})
    torch.manual_seed(0)
    model, tokens = build_model(recipe), build_tokenizer(recipe)(CAPTIONS)
    lengths = caption_lengths(tokens)
    assert lengths.tolist() == [2, 4, 13, 77, 7]
    toward = torch.randn(model.encode_text(tokens[:1]).shape[1])

    found = []
    for encode in (
        lambda: model.encode_text(tokens, normalize=True),
        lambda: encode_captions(model, tokens, lengths),
    ):
        model.zero_grad()
        features = encode()
        (features @ toward).square().sum().backward()
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        found.append((features.detach(), gradients))
    (whole, by_whole), (trimmed, by_trimmed) = found
    torch.testing.assert_close(trimmed, whole, rtol=0, atol=1e-6)
    assert by_whole.keys() == by_trimmed.keys()
    for name, gradient in by_whole.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(by_trimmed[name], gradient, rtol=0, atol=1e-5 * largest)


def test_other_words_have_no_gradient() -> None:
    weight = torch.nn.Parameter(torch.arange(20.0).reshape(10, 2))
    words = Vocabulary(weight, Ranks())
    for tokens in ([[3, 3], [7, 0]], [[9, 9], [9, 9]]):
        given = torch.tensor(tokens)
        words.take(given)
        found = words(given.reshape(-1))
        assert torch.equal(found, weight[given.reshape(-1)])
        (found * torch.tensor([1.0, 10.0])).sum().backward()
        words.give()
        counts = torch.bincount(given.reshape(-1), minlength=10)[:, None]
        assert torch.equal(weight.grad, counts * torch.tensor([1.0, 10.0]))


def test_tokens_are_counted_with_the_padding_of_three_groups() -> None:
    assert tokens_read(torch.tensor([3, 5, 2, 7, 4, 6])) == 2 * 3 + 2 * 5 + 2 * 7
    assert tokens_read(torch.tensor([9])) == 9
