"""The call that all objectives share: settings and their assignment, reduction, evaluation, state."""

from __future__ import annotations

import copy
import pickle
import warnings

import attrs
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import structpred as sp
from structpred.objectives._zero_gradients import ZeroGradientWatch

SPACE = sp.OneHot(4)
LOSS = SPACE.hamming(torch.eye(4)[:3])  # three examples


def scores_of(seed: int = 0) -> Tensor:
    return torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


# --- reduction


def test_reductions_are_those_of_torch():
    objectives = [sp.PerturbedDirectLoss(SPACE, num_samples=5, reduction=how) for how in ("none", "sum", "mean")]
    each, total, mean = (it(scores_of(), LOSS, generator=generator()) for it in objectives)
    assert each.shape == (3,)
    torch.testing.assert_close(each.sum(), total)
    torch.testing.assert_close(each.mean(), mean)


def test_the_gradient_of_each_example_is_its_own():
    scores = scores_of()
    each = sp.PerturbedDirectLoss(SPACE, num_samples=20, reduction="none")(scores, LOSS, generator=generator())
    (gradient,) = torch.autograd.grad(each[1], scores)
    assert gradient[1].any()
    assert not gradient[[0, 2]].any()


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_only_the_mean_needs_an_example(reduction):
    loss = sp.LinearLoss(torch.zeros(0, 4))
    result = sp.PerturbedDirectLoss(SPACE, reduction=reduction)(torch.zeros(0, 4), loss)
    assert result.sum() == 0


# --- noise and scale


def test_the_scale_of_a_call_takes_the_place_of_the_objectives_own():
    objective = sp.PerturbedDirectLoss(SPACE, scale=3.0)
    own = objective.solve(scores_of(), LOSS, generator=generator())
    named = objective.solve(scores_of(), LOSS, scale=3.0, generator=generator())
    other = objective.solve(scores_of(), LOSS, scale=1.0, generator=generator())
    assert torch.equal(own.epsilon, named.epsilon)
    torch.testing.assert_close(own.epsilon, 3 * other.epsilon)


def test_the_default_is_gumbel_noise_that_starts_at_scale_one():
    step = sp.PerturbedDirectLoss(SPACE).solve(scores_of(), LOSS).epsilon
    torch.testing.assert_close(step, torch.full((3,), -256 * sp.Gumbel().variance ** 0.5 / 2))


def test_a_scale_beside_no_noise_is_refused():
    objective = sp.PerturbedDirectLoss(SPACE, noise=None)
    with pytest.raises(sp.ArgumentError, match="scale: expected none, as this PerturbedDirectLoss has"):
        objective(scores_of(), LOSS, scale=2.0)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_parameter_may_be_the_scale(shape):
    objective = sp.PerturbedDirectLoss(SPACE, num_samples=50, scale=nn.Parameter(torch.ones(shape)))
    objective(scores_of(), LOSS, generator=generator()).backward()
    (scale,) = objective.parameters()
    assert scale.grad.shape == shape
    assert scale.grad.any()


def test_a_tensor_as_scale_is_a_buffer():
    objective = sp.PerturbedDirectLoss(SPACE, scale=torch.tensor(2.0)).double()
    assert objective.state_dict()["scale"].dtype == torch.float64
    objective.scale = 1.0
    assert not objective.state_dict()


# --- assignment


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("noise", 3, r"noise: expected a Noise, or None for no noise, got 3"),
        ("scale", -1.0, r"scale: expected a positive number, got -1.0"),
        ("scale", torch.ones(1, dtype=torch.int64), r"scale: expected a floating point tensor"),
        ("epsilon", 0.0, r"epsilon: expected a finite number other than 0"),
        ("space", None, r"space: expected a StructuredSpace"),
        ("num_samples", 0, r"num_samples: expected an integer of at least 1"),
        ("reduction", "average", r'reduction: expected "mean", "sum" or "none", got .average.'),
    ],
)
def test_settings_are_validated_when_they_are_assigned(name, value, message):
    objective = sp.PerturbedDirectLoss(SPACE)
    before = getattr(objective, name)
    with pytest.raises(sp.ArgumentError, match=message):
        setattr(objective, name, value)
    assert getattr(objective, name) is before


class Doubling(nn.Module, sp.Epsilon):
    """A policy with state: its step doubles with every call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.tensor(-1.0))

    def start(self, scores, direction, noise_std, event_dims):
        self.step *= 2
        return self.step.expand(scores.shape[: scores.ndim - event_dims]).clone()


@pytest.mark.parametrize("assigned", [False, True])
def test_a_policy_with_state_is_part_of_the_module(assigned):
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=-5.0 if assigned else Doubling())
    if assigned:
        objective.epsilon = Doubling()
    assert objective.solve(scores_of(), LOSS).epsilon.eq(-2).all()
    assert objective.solve(scores_of(), LOSS).epsilon.eq(-4).all()
    objective.eval()(scores_of(), LOSS)
    assert objective.state_dict()["epsilon.step"] == -4
    other = sp.PerturbedDirectLoss(SPACE, epsilon=Doubling())
    other.load_state_dict(objective.state_dict())
    assert other.solve(scores_of(), LOSS).epsilon.eq(-8).all()
    objective.epsilon = -3
    assert objective.epsilon == sp.FixedEpsilon(-3.0)
    assert not objective.state_dict()


def test_an_objective_copies_and_pickles_with_its_state():
    objective = sp.PerturbedDirectLoss(SPACE, epsilon=Doubling(), scale=nn.Parameter(torch.tensor(0.5)))
    objective(scores_of(), LOSS)
    for other in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert other.state_dict() == objective.state_dict()
        assert (other.space, other.noise) == (objective.space, objective.noise)


# --- evaluation


def test_after_eval_it_is_the_loss_of_the_structure_that_is_deployed():
    scores = scores_of()
    objective = sp.PerturbedDirectLoss(SPACE, num_samples=5).eval()
    solution = objective.solve(scores, LOSS)
    y = SPACE.argmax(scores)
    assert torch.equal(objective(scores, LOSS), LOSS(y).mean())
    assert not objective(scores, LOSS).requires_grad
    assert torch.equal(solution.prediction, y[None])
    assert solution.noise is None
    assert not solution.gradient.any()
    assert solution.epsilon.eq(0).all()


# --- structures carry no gradient


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("name", ["prediction", "augmented"])
def test_a_loss_computed_from_a_structure_cannot_be_trained_on(train, name):
    solution = sp.PerturbedDirectLoss(SPACE).train(train).solve(scores_of(), LOSS)
    with pytest.raises(sp.NoGradientError, match=r"write solution.loss, or detach the structure"):
        (getattr(solution, name).sum() + scores_of().sum()).backward()
    assert getattr(solution, name).detach().sum() == 3


# --- gradients that stay zero


def stuck(epsilon: float = -1e-3) -> sp.PerturbedDirectLoss:
    return sp.PerturbedDirectLoss(SPACE, epsilon=epsilon, noise=None)


def test_one_warning_after_fifty_calls_without_a_gradient():
    objective, scores = stuck(), torch.tensor([0.0, 9.0, 0.0, 0.0])
    loss = SPACE.hamming(torch.tensor([1, 0, 0, 0]))
    for _ in range(49):
        objective(scores, loss)
    with pytest.warns(sp.ZeroGradientWarning, match=r"mean loss of 2 where 0 is possible; take a larger step"):
        objective(scores, loss)
    for _ in range(100):
        objective(scores, loss)


def test_no_warning_where_nothing_can_be_gained_or_something_moves():
    scores, target = torch.tensor([0.0, 9.0, 0.0, 0.0]), torch.tensor([0, 1, 0, 0])
    learned, moving = stuck(), stuck()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in range(200):
            learned(scores, attrs.evolve(SPACE.hamming(target), constant=5.0))
            moving.epsilon = -20.0 if call % 40 == 0 else -1e-3
            moving(scores, SPACE.hamming(torch.tensor([1, 0, 0, 0])))


def test_gradients_that_vanish_later_are_seen():
    objective, scores = stuck(), torch.tensor([0.0, 9.0, 0.0, 0.0])
    loss = SPACE.hamming(torch.tensor([1, 0, 0, 0]))
    objective.epsilon = -20.0
    for _ in range(50):
        objective(scores, loss)
    objective.epsilon = -1e-3
    for _ in range(49):
        objective(scores, loss)
    with pytest.warns(sp.ZeroGradientWarning, match="the gradients of the last 50 calls were all zero"):
        objective(scores, loss)


def test_no_warning_where_only_rounding_could_be_gained():
    watch = ZeroGradientWatch()
    for _ in range(100):
        watch(torch.zeros(2, 4), torch.tensor([[3.000001, 1.0]]), lambda: torch.tensor([3.0, 1.0]))


def test_no_warning_where_only_rounding_could_be_gained_on_a_negative_loss():
    watch = ZeroGradientWatch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(100):
            watch(torch.zeros(1, 4), torch.tensor([[-3.0]]), lambda: torch.tensor([-3.000001]))


def test_a_solution_says_its_mean_and_sizes_alone():
    solution = sp.ScoreFunctionLoss(SPACE, num_samples=2).solve(torch.zeros(3, 4), lambda y: 0 * y.sum(-1) + 2)
    assert repr(solution) == f"{type(solution).__name__}(mean loss 2, samples=2, batch=(3,))"


# --- the device


class Waits(TorchFunctionMode):
    """Counts the calls that would wait for a GPU."""

    NAMES = ("tolist", "item", "__bool__", "__float__", "__int__", "nonzero", "equal", "cpu", "numpy", "masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        if name in self.NAMES:
            self.seen.append(name)
        if name == "__getitem__" and isinstance(args[1], Tensor) and args[1].dtype == torch.bool:
            self.seen.append("mask")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("space", [sp.OneHot(4), sp.KSubset(4, 2)], ids=repr)
def test_a_step_waits_for_the_device_once(space):
    objective = sp.PerturbedDirectLoss(space, num_samples=2)
    target = space.argmax(torch.randn(3, 4))
    loss, scale = space.hamming(target), torch.ones(3, 1).requires_grad_()
    with Waits() as waits:
        objective(scores_of(), loss, scale=scale).backward()
    assert len(waits.seen) <= 1, waits.seen
