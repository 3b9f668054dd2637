"""One step: its gradient three ways, what leaves it unchanged, and how often things move."""

from dataclasses import replace

import pytest
import torch

from datacomp_filters.flyt.optimizer import Learner
from datacomp_filters.flyt.references import LOGIT_SCALE
from datacomp_filters.flyt.step import Pairs


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


def scorer_gradient(problem):
    """By the factored pipeline, with the factor that it leaves out."""
    return problem.look_ahead().scorer_gradient * problem.rate


def by_autograd(problem):
    scorer = problem.state.scorer.values.clone().requires_grad_()
    return torch.autograd.grad(problem.objective(scorer), scorer)[0]


CASES = [
    pytest.param({"head": "glu"}, id="glu"),
    pytest.param({"head": "mixer"}, id="mixer"),
    pytest.param({"head": "glu", "n_tasks": 3}, id="three-tasks"),
    pytest.param({"head": "glu", "hidden": 5}, id="mlp"),
    pytest.param({"head": "mixer", "warm": 0}, id="first-step"),
    # The inner layer's gradient is exactly zero while the outer one is: the root of zero.
    pytest.param({"head": "glu", "hidden": 5, "warm": 0}, id="gradient-zero"),
]


@pytest.mark.parametrize("case", CASES)
def test_the_scorers_gradient_is_autograds(make_problem, case):
    problem = make_problem(**case)
    assert relative(scorer_gradient(problem), by_autograd(problem)) < 1e-10


@pytest.mark.parametrize("case", CASES)
def test_the_scorers_gradient_is_that_of_differences(make_problem, case):
    problem = make_problem(**case)
    values, gradient = problem.state.scorer.values, scorer_gradient(problem)
    random = torch.Generator().manual_seed(0)
    directions = [gradient / gradient.norm()]
    directions += [torch.randn(len(values), generator=random).double() for _ in range(3)]
    for direction in directions:
        slopes = differences(lambda at: problem.objective(at).item(), values, direction)
        assert float(gradient @ direction) in [pytest.approx(slope, rel=1e-6) for slope in slopes]


def differences(function, at, direction):
    """Slopes from five points, by widths: too wide, AdamW bends; too narrow, rounding shows."""
    for width in (1e-3, 1e-4, 1e-5, 1e-6):
        h = width / direction.norm()
        points = [function(at + k * h * direction) for k in (-2, -1, 1, 2)]
        yield (points[0] - 8 * points[1] + 8 * points[2] - points[3]) / (12 * float(h))


def test_a_gradient_with_zeros_has_no_nan(make_problem):
    found = make_problem(hidden=5, warm=0).look_ahead()
    assert (found.gradient == 0).any()
    assert found.v.isfinite().all()
    assert found.scorer_gradient.isfinite().all()


@pytest.mark.parametrize("micro_batch", [1, 3, 16])
@pytest.mark.parametrize("head", ["glu", "mixer"])
def test_pieces_change_nothing(make_problem, head, micro_batch):
    problem = make_problem(head, hidden=5, n_tasks=2)
    arguments = (problem.state, problem.pairs, problem.tasks, 0.01, 0.1)
    whole, found = problem.stepper().step(*arguments)
    cut, found_cut = problem.stepper(micro_batch).step(*arguments)
    torch.testing.assert_close(found_cut.weighted_d, found.weighted_d, rtol=1e-10, atol=1e-14)
    for one, other in zip(whole.learners(), cut.learners(), strict=True):
        torch.testing.assert_close(one.values, other.values, rtol=1e-10, atol=1e-12)


def test_a_constant_added_to_the_scores_changes_nothing(make_problem):
    problem = make_problem()
    layout = problem.stepper().scorer_layout
    moved = problem.state.scorer.values.clone()
    layout.split(moved)["out.bias"] += 5.0
    scorer = replace(problem.state.scorer, values=moved)
    found = problem.look_ahead()
    other = problem.look_ahead(state=replace(problem.state, scorer=scorer))
    for name in ("log_weights", "weighted_d", "scorer_gradient", "v"):
        torch.testing.assert_close(getattr(found, name), getattr(other, name))
    torch.testing.assert_close(found.reference.values, other.reference.values)


@pytest.mark.parametrize(("head", "bias"), [("glu", "out.bias"), ("mixer", "bias")])
def test_the_last_bias_stays(make_problem, head, bias):
    problem = make_problem(head)
    layout = problem.stepper().scorer_layout
    start = layout.split(problem.stepper().start().scorer.values)[bias]
    assert torch.equal(layout.split(problem.state.scorer.values)[bias], start)


class Free:
    """A score of its own for each example, which its input numbers."""

    def parameters(self):
        return {"scores": torch.linspace(-1, 2, 16, dtype=torch.float64)}

    def scores(self, parameters, inputs):
        return parameters["scores"][inputs]


def test_the_gradient_by_scores_is_autograds_and_sums_to_zero(make_problem):
    problem = make_problem(warm=0)
    pairs = replace(problem.pairs, inputs=torch.arange(16))
    problem = replace(problem, scorer=Free(), pairs=pairs)
    problem = replace(problem, state=problem.stepper().start())
    gradient = scorer_gradient(problem)
    assert relative(gradient, by_autograd(problem)) < 1e-10
    assert float(gradient.sum().abs()) < 1e-14 * float(gradient.abs().sum() / problem.rate)


def test_equal_scores_are_plain_clip_training(make_problem):
    problem = make_problem("mixer", warm=0)
    layout, state = problem.stepper().reference_layout, problem.state
    values = state.reference.values.clone().requires_grad_()
    named = layout.split(values)
    u = problem.reference.images(named, problem.pairs.images)
    v = problem.reference.texts(named, problem.pairs.texts)
    logits, target = named[LOGIT_SCALE].exp() * u @ v.T, torch.arange(len(u))
    loss = sum(torch.nn.functional.cross_entropy(s, target) for s in (logits, logits.T)) / 2
    found = problem.look_ahead()
    torch.testing.assert_close(found.upstream_loss, loss.detach())
    torch.testing.assert_close(found.gradient, torch.autograd.grad(loss, values)[0])


@pytest.mark.parametrize("n_tasks", [1, 3])
def test_each_optimizer_moves_once_whatever_the_number_of_tasks(make_problem, n_tasks):
    problem = make_problem(n_tasks=n_tasks, warm=2)
    for learner in problem.state.learners():
        assert learner.steps == 2
    found = problem.look_ahead()
    mean = 0.9 * problem.state.reference.mean + 0.1 * found.gradient
    torch.testing.assert_close(found.reference.mean, mean)


def test_a_task_twice_is_the_task_once(make_problem):
    problem = make_problem()
    twice = problem.look_ahead(tasks=problem.tasks * 2)
    torch.testing.assert_close(twice.scorer_gradient, problem.look_ahead().scorer_gradient)


def test_permuting_the_batch_permutes_d_alone(make_problem):
    problem = make_problem()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    pairs = Pairs(*(rows[order] for rows in vars(problem.pairs).values()))
    found, other = problem.look_ahead(), problem.look_ahead(pairs=pairs)
    torch.testing.assert_close(other.weighted_d, found.weighted_d[order])
    torch.testing.assert_close(other.reference.values, found.reference.values)
    torch.testing.assert_close(other.upstream_loss, found.upstream_loss)


@pytest.mark.parametrize(("log_scale", "kept"), [(1.0, 2.0), (9.0, 4.605170185988092)])
def test_the_reference_scale_is_kept_in_its_range(make_problem, log_scale, kept):
    problem = make_problem()
    stepper, values = problem.stepper(), problem.state.reference.values.clone()
    stepper.reference_layout.split(values)[LOGIT_SCALE].fill_(log_scale)
    state = replace(problem.state, reference=Learner.start(values))
    stepped, _ = stepper.step(state, problem.pairs, problem.tasks, 0.01, 0.1)
    found = stepper.reference_layout.split(stepped.reference.values)[LOGIT_SCALE]
    assert float(found) == pytest.approx(kept)


def test_the_downstream_scale_is_trained_by_its_own_gradient(make_problem):
    problem = make_problem(warm=0)
    log_scale = problem.state.downstream_scale.values.clone().requires_grad_()
    found = problem.look_ahead()
    named = problem.stepper().reference_layout.split(found.reference.values)
    (task,) = problem.tasks
    features = problem.reference.images(named, task.images)
    logits = log_scale.exp() * features @ problem.reference.texts(named, task.classes).T
    loss = torch.nn.functional.cross_entropy(logits, task.labels)
    (gradient,) = torch.autograd.grad(loss, log_scale)
    torch.testing.assert_close(found.downstream_loss, loss.detach())
    torch.testing.assert_close(found.downstream_scale.mean, 0.1 * gradient)


def test_the_loss_before_the_step_is_that_of_the_state(make_problem):
    problem = make_problem(n_tasks=2)
    _, found = problem.stepper().step(problem.state, problem.pairs, problem.tasks, 1e-12, 0.1)
    before = problem.stepper(5).downstream_loss(problem.state, problem.tasks)
    torch.testing.assert_close(before, found.downstream_loss, rtol=1e-8, atol=0)
