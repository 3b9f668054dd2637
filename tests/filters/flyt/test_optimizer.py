"""AdamW as a value: torch's numbers, autograd's derivative; and the schedule."""

import pytest
import torch

from datacomp_filters.flyt.config import FlytConfig, learning_rate_at
from datacomp_filters.flyt.optimizer import AdamW, Layout, Learner

ADAMW = AdamW(beta1=0.9, beta2=0.98, epsilon=1e-6, weight_decay=0.2)


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vjp(learner, gradient, cotangent):
    """Of a step at rate 0.1."""
    stepped = ADAMW.step(learner, gradient, 0.1, 0)
    return ADAMW.step_vjp(stepped, gradient, 0.1, cotangent)


def test_twenty_steps_are_torchs():
    named = {"matrix": draw(4, 3, seed=0), "scale": draw((), seed=1), "bias": draw(5, seed=2)}
    layout = Layout.of(named)
    learner = Learner.start(layout.join(named))
    theirs = {name: torch.nn.Parameter(value.clone()) for name, value in named.items()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [theirs["matrix"]], "weight_decay": 0.2},
            {"params": [theirs["scale"], theirs["bias"]], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    for step in range(20):
        rate = 0.01 * (step + 1)
        gradients = {name: draw(value.shape, seed=100 + step) for name, value in named.items()}
        for name, parameter in theirs.items():
            parameter.grad = gradients[name].clone()
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        learner = ADAMW.step(learner, layout.join(gradients), rate, layout.decayed)
    assert learner.steps == 20
    for name, value in layout.split(learner.values).items():
        torch.testing.assert_close(value, theirs[name].detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_derivative_is_autograds(steps):
    learner = Learner(
        draw(50, seed=0),
        draw(50, seed=1) * bool(steps),
        draw(50, seed=2).square() * bool(steps),
        steps,
    )
    gradient, cotangent = draw(50, seed=3).requires_grad_(), draw(50, seed=4)
    values = ADAMW.step(learner, gradient, 0.1, 20).values
    (expected,) = torch.autograd.grad(values, gradient, cotangent)
    found = vjp(learner, gradient.detach(), cotangent)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_the_derivative_where_nothing_ever_moved_is_that_of_a_line():
    """m = v = 0 and g around zero: the update is -rate g / (|g| + e), of slope -rate / e."""
    learner, zero = Learner.start(torch.zeros(3)), torch.zeros(3)
    found = vjp(learner, zero, torch.ones(3))
    torch.testing.assert_close(found, torch.full((3,), -0.1 / 1e-6))


def test_a_square_that_underflows_has_a_finite_derivative():
    learner, tiny = Learner.start(torch.zeros(2)), torch.tensor([1e-30, -1e-24])
    assert vjp(learner, tiny, torch.ones(2)).isfinite().all()


def test_a_step_changes_nothing_that_it_was_given():
    learner, gradient = Learner.start(draw(5, seed=0)), draw(5, seed=1)
    before = learner.values.clone()
    ADAMW.step(learner, gradient, 0.1, 3)
    assert torch.equal(learner.values, before)
    assert not learner.mean.any()
    assert learner.steps == 0


def test_a_layout_puts_what_is_decayed_first_and_splits_what_it_joined():
    named = {"a": torch.arange(3.0), "b": torch.arange(4.0).reshape(2, 2), "c": torch.tensor(7.0)}
    layout = Layout.of(named)
    assert layout.decayed == 4
    assert layout.join(named).tolist() == [0, 1, 2, 3, 0, 1, 2, 7]
    for name, value in layout.split(layout.join(named)).items():
        assert torch.equal(value, named[name])


def test_the_schedule_warms_up_and_falls_to_nearly_nothing():
    rates = [learning_rate_at(step, 2.0, 4, 12) for step in range(12)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[8] == pytest.approx(1.0)
    assert 0 < rates[-1] < 0.1


def test_the_defaults_are_the_published_ones():
    assert FlytConfig().semantic() == {
        "steps": 5000,
        "upstream_batch": 4096,
        "downstream_batch": 3072,
        "reference_rate": 5e-5,
        "scoring_rate": 1e-3,
        "warmup_steps": 100,
        "beta1": 0.9,
        "beta2": 0.98,
        "epsilon": 1e-6,
        "weight_decay": 0.2,
    }
