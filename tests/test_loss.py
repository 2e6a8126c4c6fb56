"""Losses against their definitions, written out part by part."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import structpred as sp
from structpred import LinearLoss


def tensors(elements, *shape, dtype=torch.float64):
    count = torch.Size(shape).numel()
    return st.lists(elements, min_size=count, max_size=count).map(
        lambda values: torch.tensor(values, dtype=dtype).reshape(shape)
    )


BITS, INTEGERS = st.integers(0, 1), st.integers(-5, 5)


@given(tensors(INTEGERS, 2, 3), tensors(INTEGERS, 2), tensors(BITS, 2, 3))
def test_the_loss_is_constant_plus_inner_product(coefficients, constant, y):
    expected = [
        float(c) + sum(float(a) * float(b) for a, b in zip(*ab, strict=True))
        for c, *ab in zip(constant, coefficients, y, strict=True)
    ]
    assert LinearLoss(coefficients, constant)(y).tolist() == expected


@given(tensors(BITS, 2, 3), tensors(BITS, 2, 3))
def test_hamming_counts_the_parts_that_differ(target, y):
    assert LinearLoss.hamming(target)(y).tolist() == (y != target).sum(-1).tolist()


@given(tensors(BITS, 2, 3), tensors(BITS, 2, 3), tensors(INTEGERS, 3))
def test_weighted_hamming_weighs_the_parts_that_differ(target, y, weights):
    assert torch.equal(LinearLoss.hamming(target, weights)(y), ((y != target) * weights).sum(-1))


@given(tensors(BITS, 2, 2, 3), tensors(BITS, 2, 2, 3))
def test_missed_counts_the_parts_that_y_lacks(target, y):
    assert LinearLoss.missed(target)(y).tolist() == ((target == 1) & (y == 0)).sum((-1, -2)).tolist()


def test_regret_takes_costs_of_any_kind():
    space = sp.KSubset(3, 1)
    for costs in (torch.tensor([3, 1, 2]), torch.tensor([3.0, 1.0, 2.0]).half()):
        assert space.regret(costs)(torch.eye(3)).tolist() == [2.0, 0.0, 1.0]
    assert space.regret(torch.zeros(0, 3)).coefficients.shape == (0, 3)


@given(tensors(INTEGERS, 4, 3, 3))
def test_regret_is_zero_at_the_best_and_never_negative(costs):
    space = sp.Matching(3)
    best = space.argmax(-costs)
    regret = space.regret(costs)
    assert regret(best).eq(0).all()
    for y in space.enumerate().double():
        assert torch.equal(regret(y.expand_as(costs)), (costs * y).sum((-1, -2)) - (costs * best).sum((-1, -2)))
        assert regret(y.expand_as(costs)).ge(0).all()


def test_losses_of_a_space_know_their_best_structure():
    space, costs = sp.Matching(3), torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0))
    best = space.argmax(-costs)
    assert torch.equal(space.regret(costs).best, best)
    assert torch.equal(space.regret(costs, best.int()).best, best)
    assert torch.equal(space.hamming(best.bool()).best, best)
    assert LinearLoss(costs).best is None


def test_a_best_structure_that_is_said_to_be_known_is_not_solved_for():
    space, costs = sp.OneHot(3), torch.tensor([[1.0, 2.0, 3.0]])
    second = torch.tensor([[0.0, 1.0, 0.0]])
    assert space.regret(costs, second, validate=False)(torch.eye(3)).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("best", "message"),
    [
        ([[0, 1, 0], [1, 0, 0]], "best: expected structures of least cost, got others in example 0; leave best out to"),
        ([[0, 0, 1], [0, 0, 1]], "they have the largest cost: costs are minimized, so write -values for what is max"),
        ([[1, 1, 0], [1, 0, 0]], "best: expected structures of OneHot(n=3), got others in example 0"),
        ([[1, 0], [1, 0]], "best: expected a tensor of shape (*batch, 3)"),
        ([[1, 0, 0]] * 3, "best: expected a tensor that broadcasts to (2, 3), as the costs have it"),
    ],
)
def test_a_best_structure_that_is_not_is_refused(best, message):
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        sp.OneHot(3).regret(torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 2.0]]), torch.tensor(best))


INDICES = [0, -1, slice(1, 3), [2, 0], torch.tensor([3, 3]), torch.tensor([True, False, False, True])]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_the_loss_of_some_examples(index):
    space = sp.Matching(2)
    loss = space.regret(torch.rand(4, 2, 2, generator=torch.Generator().manual_seed(0)))
    some = loss[index]
    y = space.argmax(torch.rand(4, 2, 2, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(some(y[index]), loss(y)[index])
    assert torch.equal(some.best, loss.best[index])


def test_indices_of_several_batch_dimensions_and_broadcast_parts():
    loss = LinearLoss(torch.rand(2, 3, 4), torch.tensor(1.0), event_dims=1, best=torch.tensor([1.0, 0, 0, 0]))
    some = loss[torch.tensor([[0], [1]]), torch.tensor([[2, 1], [0, 0]])]
    assert some.coefficients.shape == some.best.shape == (2, 2, 4)
    assert some.constant.shape == (2, 2)


@pytest.mark.parametrize("index", [(0, 1), None, Ellipsis, torch.ones(4, 2, dtype=torch.bool)], ids=str)
def test_an_index_into_the_structures_is_refused(index):
    with pytest.raises(sp.ArgumentError, match="index: expected one of the 1 batch dimensions of the loss"):
        LinearLoss(torch.rand(4, 2))[index]


@given(tensors(INTEGERS, 2, 4), tensors(INTEGERS, 2, 4))
def test_squared_error_is_that_of_the_permuted_list_for_every_permutation(values, targets):
    loss = LinearLoss.squared_error(values, targets)
    for permutation in sp.Matching(4).enumerate().double():
        placed = values @ permutation  # column j takes the value of its row
        assert torch.equal(loss(permutation), (placed - targets).square().sum(-1))


def test_squared_error_of_fewer_columns_counts_what_is_placed():
    loss = LinearLoss.squared_error(torch.tensor([1.0, 5.0, 2.0]), torch.tensor([2.0, 7.0]))
    y = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert loss(y) == (2 - 2) ** 2 + (5 - 7) ** 2


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float64])
def test_targets_of_any_dtype(dtype):
    target = torch.eye(3).to(dtype)
    for loss in (LinearLoss.hamming(target), LinearLoss.missed(target)):
        assert loss.coefficients.dtype == (dtype if dtype.is_floating_point else torch.get_default_dtype())
        assert loss(torch.eye(3).to(loss.coefficients)).eq(0).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda y: LinearLoss(torch.ones(2, 3, 4, 5), torch.arange(6.0).reshape(2, 3)),
        lambda y: LinearLoss.hamming(y[0], event_dims=2),
        lambda y: LinearLoss.missed(y[0], event_dims=2),
        lambda y: LinearLoss.squared_error(torch.ones(2, 3, 4), torch.zeros(2, 3, 5)),
    ],
)
def test_a_draws_dimension_broadcasts_in_front(build):
    y = torch.randint(0, 2, (7, 2, 3, 4, 5), generator=torch.Generator().manual_seed(0)).float()
    loss = build(y)
    assert loss(y).shape == (7, 2, 3)
    for draw, value in zip(y, loss(y), strict=True):
        assert torch.equal(loss(draw), value)


@pytest.mark.parametrize(
    ("shape", "constant", "event_dims"),
    [
        ((3,), 0.0, 1),
        ((2, 3), 1.0, 1),
        ((2, 3, 3), 1.0, 2),
        ((2, 3, 3), torch.zeros(()), 2),
        ((2, 3, 3), torch.zeros(2), 2),
        ((4, 2, 3), torch.zeros(4, 2), 1),
    ],
)
def test_batch_dimensions_are_those_of_the_constant_or_the_first(shape, constant, event_dims):
    assert LinearLoss(torch.ones(shape), constant).event_dims == event_dims


def test_given_event_dims_are_kept():
    loss = LinearLoss(torch.ones(4, 2, 3), 1.0, event_dims=1)
    assert loss(torch.ones(4, 2, 3)).tolist() == [[4.0, 4.0]] * 4
    assert LinearLoss.hamming(torch.ones(4, 2, 3), event_dims=1)(torch.zeros(4, 2, 3)).tolist() == [[3.0, 3.0]] * 4


def test_the_loss_is_differentiable_in_coefficients_and_prediction():
    coefficients = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    LinearLoss(coefficients)(y).sum().backward()
    assert torch.equal(coefficients.grad, y)
    assert torch.equal(y.grad, coefficients)


def test_a_loss_is_frozen_and_equal_only_to_itself():
    loss, other = LinearLoss(torch.ones(2, 3)), LinearLoss(torch.ones(2, 3))
    assert loss == loss
    assert loss != other
    with pytest.raises(AttributeError):
        loss.constant = 1.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: LinearLoss([1.0, 2.0]),
            "coefficients: expected a torch tensor, got [1.0, 2.0] (list); write torch.as_tensor(coefficients)",
        ),
        (
            lambda: LinearLoss(torch.ones(2, 3, dtype=torch.int64)),
            "coefficients: expected a floating point tensor, got",
        ),
        (
            lambda: LinearLoss(torch.tensor([1.0, torch.inf])),
            "coefficients: expected finite entries, got an infinite entry; forbid a part by a score of -inf",
        ),
        (lambda: LinearLoss(torch.tensor([-torch.inf, torch.nan])), "coefficients: expected finite entries, got NaN;"),
        (lambda: LinearLoss(torch.ones(2), torch.ones(2, dtype=torch.int64)), "constant: expected a floating point"),
        (lambda: LinearLoss(torch.ones(2), torch.tensor(torch.nan)), "constant: expected finite entries, got NaN"),
        (lambda: LinearLoss(torch.ones(2), float("inf")), "constant: expected a finite number, got inf (float)"),
        (lambda: LinearLoss(torch.ones(2), "1"), "constant: expected a finite number, got '1' (str)"),
        (
            lambda: LinearLoss(torch.ones(2), best=torch.ones(3)),
            "best: expected a tensor that broadcasts to (2,), as the coefficients have it",
        ),
        (lambda: LinearLoss(torch.ones(2), event_dims=0), "event_dims: expected an integer of at least 1, got 0"),
        (lambda: LinearLoss.hamming(torch.eye(3), event_dims=0), "event_dims: expected an integer of at least 1"),
        (lambda: LinearLoss.missed(torch.eye(3), event_dims=0), "event_dims: expected an integer of at least 1"),
        (lambda: LinearLoss.hamming([1, 0]), "target: expected a torch tensor, got [1, 0] (list)"),
        (lambda: LinearLoss.missed([1, 0]), "target: expected a torch tensor, got [1, 0] (list)"),
        (lambda: sp.OneHot(1).regret([1.0]), "costs: expected a torch tensor, got [1.0] (list)"),
        (lambda: sp.OneHot(2).regret(torch.ones(3)), "costs: expected a tensor of shape (*batch, 2) for OneHot(n=2)"),
        (lambda: sp.OneHot(1).regret(torch.tensor([torch.nan])), "coefficients: expected finite entries, got NaN"),
        (lambda: LinearLoss.squared_error([1.0], torch.ones(1)), "values: expected a torch tensor, got [1.0] (list)"),
        (lambda: LinearLoss(torch.ones(2, 3))([1, 0, 0]), "y: expected a torch tensor, got [1, 0, 0] (list)"),
        (
            lambda: LinearLoss(torch.ones(2, 3))(torch.ones(2, 4)),
            "y: expected a tensor whose last dimensions are (3,), got a float32 tensor of shape (2, 4)",
        ),
        (
            lambda: LinearLoss(torch.ones(2, 3, 3))(torch.ones(2, 3)),
            "y: expected a tensor whose last dimensions are (3, 3), got a float32 tensor of shape (2, 3)",
        ),
    ],
)
def test_what_is_wrong_is_named(build, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        build()


def test_weights_of_another_shape_are_refused():
    with pytest.raises(
        sp.ArgumentError, match=r"weights: expected a tensor that broadcasts to \(3, 3\), as the target has"
    ):
        LinearLoss.hamming(torch.eye(3), torch.ones(7))


def test_more_structure_dimensions_than_there_are_is_refused():
    with pytest.raises(
        sp.ArgumentError, match=r"event_dims: expected at most 1, the dimensions of the coefficients, got 2"
    ):
        LinearLoss(torch.ones(3), event_dims=2)
