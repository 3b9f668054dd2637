"""The reference models: starts, and features, gradients and tangents in pieces."""

import open_clip
import pytest
import torch

from datacomp.training.distributed import Ranks
from datacomp_filters.flyt.downstream import Labelled
from datacomp_filters.flyt.heads import GluHead
from datacomp_filters.flyt.optimizer import AdamW, Layout
from datacomp_filters.flyt.passes import Pass
from datacomp_filters.flyt.references import EmbeddingReference, OpenClipReference
from datacomp_filters.flyt.step import Pairs, Stepper

TOWERS = {
    "resnet": {"image_size": 32, "layers": (1, 1, 1, 1), "width": 8, "patch_size": None},
    "vit": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
}
TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tokens(n, seed=0):
    found = torch.randint(1, 63, (n, 8), generator=torch.Generator().manual_seed(seed))
    found[:, -1] = 63
    return found


def make_clip(tower="vit"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(embed_dim=16, vision_cfg=TOWERS[tower], text_cfg=TEXT)
    return OpenClipReference(model.double())


@pytest.fixture(params=["embeddings", "mlp", "resnet-images", "vit-images", "texts"])
def tower(request):
    """A function of (parameters, inputs), its parameters, and inputs of five rows."""
    if request.param in ("embeddings", "mlp"):
        hidden = 3 if request.param == "mlp" else 0
        reference = EmbeddingReference(8, 8, width=4, hidden=hidden, dtype=torch.float64)
        return reference.images, reference.parameters(), draw(5, 8)
    if request.param == "texts":
        reference = make_clip()
        return reference.texts, reference.parameters(), tokens(5)
    reference = make_clip(request.param.removesuffix("-images"))
    return reference.images, reference.parameters(), draw(5, 3, 32, 32)


def test_pieces_are_the_whole(tower):
    function, parameters, inputs = tower
    layout = Layout.of(parameters)
    values = layout.join(parameters)
    whole, cut = (Pass(function, layout, values, inputs, n) for n in (5, 2))
    torch.testing.assert_close(cut.outputs, whole.outputs)
    tangent = draw(len(values))
    torch.testing.assert_close(cut.push(tangent), whole.push(tangent))
    pulled = torch.zeros(2, len(values), dtype=torch.float64)
    for one, gradient in zip((whole, cut), pulled, strict=True):
        one.pull(whole.outputs + 1, gradient)
    torch.testing.assert_close(*pulled)


def test_tangents_are_differences_and_agree_with_gradients(tower):
    function, parameters, inputs = tower
    layout = Layout.of(parameters)
    values = layout.join(parameters)
    values = values + 0.01 * draw(len(values), seed=5)
    tangent, cotangent = draw(len(values), seed=1), draw(5, 16, seed=2)
    tangent, h = tangent / tangent.norm(), 1e-4
    ahead, behind = (Pass(function, layout, values + k * h * tangent, inputs, 5) for k in (1, -1))
    found = Pass(function, layout, values, inputs, 5)
    pushed, gradient = found.push(tangent), torch.zeros_like(values)
    difference = (ahead.outputs - behind.outputs) / (2 * h)
    torch.testing.assert_close(pushed, difference, rtol=1e-5, atol=1e-6)
    cotangent = cotangent[:, : pushed.shape[1]]
    found.pull(cotangent, gradient)
    torch.testing.assert_close((pushed * cotangent).sum(), gradient @ tangent)


def test_an_empty_batch_goes_through(tower):
    function, parameters, inputs = tower
    layout = Layout.of(parameters)
    values = layout.join(parameters)
    found, gradient = Pass(function, layout, values, inputs[:0], 5), torch.zeros_like(values)
    found.pull(found.outputs, gradient)
    assert found.outputs.shape == found.push(values).shape
    assert not gradient.any()


def test_a_rows_features_depend_on_no_other_row():
    reference, pixels = make_clip("resnet"), draw(5, 3, 32, 32)
    parameters = reference.parameters()
    whole, alone = (reference.images(parameters, rows) for rows in (pixels, pixels[:1]))
    torch.testing.assert_close(whole[:1], alone)


def test_without_a_width_embeddings_start_as_they_are():
    reference, rows = EmbeddingReference(6, 6, hidden=4), torch.randn(3, 6).half()
    parameters = reference.parameters()
    expected = torch.nn.functional.normalize(rows.float(), dim=1)
    for tower in (reference.images, reference.texts):
        torch.testing.assert_close(tower(parameters, rows), expected)


def test_projections_are_orthonormal_and_shared_where_they_can_be():
    parameters = EmbeddingReference(6, 6, width=4).parameters()
    linear = parameters["image.linear"]
    torch.testing.assert_close(linear @ linear.T, torch.eye(4))
    assert torch.equal(linear, parameters["text.linear"])
    wider = EmbeddingReference(6, 3, width=4).parameters()
    assert wider["text.linear"].shape == (4, 3)


def test_towers_of_two_widths_need_a_common_one():
    with pytest.raises(ValueError, match=r"6 and 3 wide"):
        EmbeddingReference(6, 3)


@pytest.mark.parametrize("tower", TOWERS)
def test_a_step_of_a_whole_clip_in_pieces_is_the_step(tower):
    reference, scorer = make_clip(tower), GluHead(8, 8, dtype=torch.float64)
    pairs = Pairs(draw(6, 3, 32, 32), tokens(6), draw(6, 16))
    task = Labelled(draw(7, 3, 32, 32, seed=1), torch.arange(7) % 3, tokens(3, seed=1))
    optimizer, found = AdamW(0.9, 0.98, 1e-6, 0.2), []
    for micro_batch in (100, 2):
        stepper = Stepper(reference, scorer, optimizer, micro_batch, Ranks())
        state = stepper.start()
        for _ in range(2):
            state, _ = stepper.step(state, pairs, [task], 1e-3, 1e-2)
        found.append(state)
    for one, other in zip(*(state.learners() for state in found), strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=0, atol=1e-6)
    assert found[0].reference.values.isfinite().all()
