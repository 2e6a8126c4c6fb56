"""The strategies offer what they promise, and nothing that they exclude."""

import math

import pytest
import torch
from hypothesis import Phase, find, given, settings

import structpred as sp
from structpred.testing import strategies
from structpred.testing.code import expression

SPACES = [sp.KSubset(5, 2), sp.Matching(2, 3), sp.KSubset(40, 20)]
every_space = pytest.mark.parametrize("space", SPACES, ids=repr)

HARD = {
    "ties": lambda scores: scores.numel() > 1 and len(scores.unique()) < scores.numel(),
    "generic position": lambda scores: scores.numel() > 9 and len(scores.unique()) == scores.numel(),
    "large": lambda scores: scores.dtype == torch.float64 and bool((scores.abs() == strategies.LARGEST).any()),
    "small": lambda scores: bool((scores.abs() == strategies.SMALLEST).any()),
    "a hair's breadth": lambda scores: bool(((scores - 1).abs() < 1e-8).logical_and(scores != 1).any()),
    "forbidden": lambda scores: bool(scores.isneginf().any()),
    "strided": lambda scores: scores.numel() > 1 and not scores.is_contiguous(),
    "empty": lambda scores: scores.numel() == 0,
    "no batch": lambda scores: scores.ndim == 1,
    "several batch dimensions": lambda scores: scores.ndim == 3,
    "half precision": lambda scores: scores.dtype == torch.float16,
}


@pytest.mark.parametrize("kind", HARD)
def test_every_kind_of_scores_is_found(kind):
    generated = settings(max_examples=1000, database=None, phases=[Phase.generate])
    find(strategies.scores(sp.KSubset(5, 2)), HARD[kind], settings=generated)


@every_space
def test_scores_always_leave_a_structure(space):
    @given(strategies.scores(space))
    def check(scores):
        assert scores.shape[scores.ndim - len(space.shape) :] == space.shape
        assert not scores.isnan().any()
        assert not scores.isposinf().any()
        space.argmax(scores)

    check()


@given(strategies.scores(SPACES[0], batch=(2, 3), dtype=torch.float32, forbidden=False, moderate=True, contiguous=True))
def test_what_is_excluded_does_not_come(scores):
    assert scores.shape == (2, 3, 5)
    assert scores.dtype == torch.float32
    assert scores.is_contiguous()
    assert scores.abs().max() < 10
    assert ((scores == 0) | (scores.abs() > 1e-7)).all()


@given(strategies.scores(SPACES[0], moderate=False, forbidden=False))
def test_nothing_is_finer_than_the_smallest(scores):
    """Else solvers that are right would fail: those that add 1 to every score resolve 10^-16."""
    if scores.dtype == torch.float64:
        assert ((scores == 0) | (scores.abs() >= strategies.SMALLEST * 0.999)).all()


@every_space
def test_targets_are_structures(space):
    @given(strategies.targets(space, batch=(2, 2)), strategies.targets(space, batch=()))
    def check(several, one):
        assert several.shape == (2, 2, *space.shape)
        assert one.shape == space.shape
        assert space.contains(several).all()
        assert space.contains(one)

    check()


@every_space
def test_losses_and_scales_fit_the_objective(space):
    @given(strategies.losses(space, batch=(2,)), strategies.scales(space, batch=(2,)))
    def check(loss, scale):
        assert loss.event_dims == len(space.shape)
        scores = torch.zeros(2, *space.shape, dtype=torch.float64)
        value = sp.PerturbedDirectLoss(space, epsilon=-1.0)(scores, loss, scale=scale)
        assert value.isfinite()
        assert ((scale >= 0.1) & (scale <= 10)).all()

    check()


def test_scales_come_in_every_shape():
    space = sp.Matching(2, 3)
    for shape in [(), (3, 1, 1), (3, 2, 3)]:
        find(strategies.scales(space), lambda scale, shape=shape: tuple(scale.shape) == shape)


@given(strategies.scores(sp.Matching(2, 3)))
def test_code_for_a_tensor_makes_it_again(scores):
    again = eval(expression(scores), {"torch": torch})
    assert again.dtype == scores.dtype
    assert torch.equal(again, scores)
    assert not scores.numel() or again.stride() == scores.stride()


@given(strategies.losses(sp.Matching(2, 3)))
def test_code_for_a_loss_makes_it_again(loss):
    again = eval(expression(loss), {"torch": torch, "LinearLoss": sp.LinearLoss})
    assert torch.equal(again.coefficients, loss.coefficients)
    assert torch.equal(torch.as_tensor(again.constant), torch.as_tensor(loss.constant))
    assert again.event_dims == loss.event_dims


@pytest.mark.parametrize("value", [math.inf, -math.inf, 0.1, 3, (1, 2), "text", torch.float16, strategies.Layout.GAPPY])
def test_code_for_plain_values_makes_them_again(value):
    assert eval(expression(value), {"torch": torch, "Layout": strategies.Layout}) == value


def test_what_has_no_code_is_left_open():
    assert expression(object()).startswith("...  # <object object at")
    assert expression(torch.zeros(30, 30)) == "...  # a torch.float32 tensor of shape (30, 30), too large to show"
