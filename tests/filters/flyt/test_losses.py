"""The weighted contrastive loss, its mixed derivative and the zero-shot loss, against autograd."""

import pytest
import torch
import torch.nn.functional as F

from datacomp_filters.flyt.losses import mixed_derivative, weighted_clip_loss, zero_shot_loss

LOG_SCALE = torch.tensor(2.5, dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(x):
    return F.normalize(x, dim=1)


@pytest.fixture
def batch():
    """Features, log-weights and tangents of 16 pairs."""
    u, v = unit(draw(16, 8)), unit(draw(16, 8, seed=1))
    return (
        u,
        v,
        torch.log_softmax(2 * draw(16, seed=2), 0),
        draw(16, 8, seed=3),
        draw(16, 8, seed=4),
    )


def naive(u, v, log_scale, w, numerator=None):
    """The formula as it stands, with exponentials; the numerator's weight may be another."""
    s = torch.exp(log_scale.exp() * u @ v.T)
    numerator = w if numerator is None else numerator
    half = [-(w * torch.log(numerator * torch.diag(x) / (w * x).sum(1))).sum() for x in (s, s.T)]
    return (half[0] + half[1]) / 2


def same(found, expected, tolerance=1e-12):
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * max(scale, 1.0))


@pytest.mark.parametrize("rows", [1, 5, 16, 100])
def test_the_loss_and_its_gradient_are_the_formulas(batch, rows):
    u, v, log_w, *_ = batch
    leaves = [x.clone().requires_grad_() for x in (u, v, LOG_SCALE)]
    loss = naive(*leaves, log_w.exp())
    gradients = torch.autograd.grad(loss, leaves)
    found = weighted_clip_loss(u, v, LOG_SCALE, log_w, rows)
    same(found.loss, loss.detach())
    for one, other in zip((found.images, found.texts, found.log_scale), gradients, strict=True):
        same(one, other)


def test_equal_weights_are_the_clip_loss(batch):
    u, v, *_ = batch
    logits = LOG_SCALE.exp() * u @ v.T
    target = torch.arange(16)
    clip = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    same(
        weighted_clip_loss(u, v, LOG_SCALE, torch.full((16,), 1 / 16).double().log(), 7).loss, clip
    )


def test_a_pair_of_no_weight_is_not_there(batch):
    u, v, log_w, *_ = batch
    gone = log_w.clone()
    gone[3] = -800.0
    rest = [i for i in range(16) if i != 3]
    found = weighted_clip_loss(u, v, LOG_SCALE, torch.log_softmax(gone, 0), 16)
    without = weighted_clip_loss(u[rest], v[rest], LOG_SCALE, torch.log_softmax(gone[rest], 0), 16)
    same(found.loss, without.loss)
    same(found.images[rest], without.images)
    same(found.texts[rest], without.texts)
    assert (found.images[3] == 0).all()
    assert (found.texts[3] == 0).all()


def test_twice_the_weight_is_the_pair_twice(batch):
    """For every gradient; the value differs by the numerator, which holds one copy's weight."""
    u, v, *_ = batch
    once, twice = [0, 1, 2, 3], [0, 1, 2, 3, 3]
    weights = torch.tensor([1.0, 1, 1, 2], dtype=torch.float64) / 5
    heavy = weighted_clip_loss(u[once], v[once], LOG_SCALE, weights.log(), 4)
    copies = torch.full((5,), 0.2, dtype=torch.float64)
    double = weighted_clip_loss(u[twice], v[twice], LOG_SCALE, copies.log(), 4)
    same(double.loss - heavy.loss, weights[3] * torch.tensor(2.0).double().log())
    same(double.log_scale, heavy.log_scale)
    for found, expected in ((double.images, heavy.images), (double.texts, heavy.texts)):
        same(found[:3], expected[:3])
        same(found[3] + found[4], expected[3])


def test_the_numerators_weight_is_in_no_gradient(batch):
    u, v, log_w, *_ = batch
    x = u.clone().requires_grad_()
    other = naive(x, v, LOG_SCALE, log_w.exp(), numerator=torch.ones(16).double())
    same(weighted_clip_loss(u, v, LOG_SCALE, log_w, 16).images, torch.autograd.grad(other, x)[0])


def test_large_logits_and_small_weights_are_finite_in_float32(batch):
    u, _, _, du, dv = (x.float() for x in batch)
    log_w = torch.zeros(16)
    log_w[::2] = -80.0
    log_w = torch.log_softmax(log_w, 0)
    log_scale = torch.tensor(100.0).log()
    # Some pairs at cosine 1, some at -1: logits of both signs, exponents past float32's.
    v = torch.where(torch.arange(16)[:, None] % 3 == 0, -u, u)
    found = weighted_clip_loss(u, v, log_scale, log_w, 5)
    exact = weighted_clip_loss(*(x.double() for x in (u, v, log_scale, log_w)), 16)
    for name in ("loss", "images", "texts", "log_scale"):
        torch.testing.assert_close(
            getattr(found, name), getattr(exact, name).float(), rtol=1e-3, atol=1e-4
        )
    assert mixed_derivative(u, v, du, dv, log_scale, log_w, 5).isfinite().all()


def mixed_by_autograd(batch, with_respect_to):
    """d/dw (or d/da) of <dL/de, e'>, both derivatives by reverse mode."""
    u, v, log_w, du, dv = batch
    leaves = [x.clone().requires_grad_() for x in (u, v)]
    chosen = (log_w.exp() if with_respect_to == "w" else log_w).clone().requires_grad_()
    loss = naive(*leaves, LOG_SCALE, chosen if with_respect_to == "w" else chosen.exp())
    by_u, by_v = torch.autograd.grad(loss, leaves, create_graph=True)
    return torch.autograd.grad((by_u * du).sum() + (by_v * dv).sum(), chosen)[0]


@pytest.mark.parametrize("rows", [1, 3, 16, 50])
def test_the_mixed_derivative_is_autograds(batch, rows):
    u, v, log_w, du, dv = batch
    found = mixed_derivative(u, v, du, dv, LOG_SCALE, log_w, rows)
    same(found, mixed_by_autograd(batch, "log w"))
    same(found / log_w.exp(), mixed_by_autograd(batch, "w"))


@pytest.mark.parametrize("rows", [2, 9, 30])
def test_the_zero_shot_loss_is_cross_entropy(rows):
    f, z = unit(draw(9, 8)), unit(draw(5, 8, seed=1))
    labels = torch.tensor([0, 1, 2, 3, 4, 0, 0, 1, 1])
    leaves = [x.clone().requires_grad_() for x in (f, z, LOG_SCALE)]
    loss = F.cross_entropy(leaves[2].exp() * leaves[0] @ leaves[1].T, labels)
    gradients = torch.autograd.grad(loss, leaves)
    found = zero_shot_loss(f, z, LOG_SCALE, labels, 9, rows)
    same(found.loss, loss.detach())
    for one, other in zip((found.images, found.classes, found.log_scale), gradients, strict=True):
        same(one, other)


def test_zero_shot_losses_of_parts_add_up():
    f, z, labels = unit(draw(9, 8)), unit(draw(5, 8, seed=1)), torch.arange(9) % 5
    whole = zero_shot_loss(f, z, LOG_SCALE, labels, 9, 4)
    parts = [zero_shot_loss(f[s], z, LOG_SCALE, labels[s], 9, 4) for s in (slice(2), slice(2, 9))]
    for name in ("loss", "classes", "log_scale"):
        same(sum(getattr(part, name) for part in parts), getattr(whole, name))
