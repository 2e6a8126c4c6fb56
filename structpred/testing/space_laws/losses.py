"""What is computed from a structure: its score, and its loss."""

from __future__ import annotations

import torch
from torch import Tensor

from structpred.errors import ArgumentError
from structpred.loss import LinearLoss
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.law import ViolationError, law
from structpred.testing.oracles import first, value


@law(scores=per_example(strategies.scores, dtype=torch.float64), target=per_example(strategies.targets))
def score_is_the_inner_product(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """score(scores, y) = <scores, y>, where a part that y does not use counts nothing, forbidden or not."""
    got, expected = space.score(scores, target), value(space, scores, target)
    _expect_equal(got, expected, "score differs from the inner product")


@law(scores=per_example(strategies.scores, dtype=torch.float64), target=per_example(strategies.targets))
def the_gradient_of_score_is_the_structure(space: StructuredSpace, scores: Tensor, target: Tensor) -> None:
    """The gradient of score(scores, y) for the scores is y, and 0 at forbidden parts that y does not use."""
    leaf = scores.clone().requires_grad_()
    (got,) = torch.autograd.grad(space.score(leaf, target).sum(), leaf)
    for index in first((got != target).flatten(1).any(1)):
        raise ViolationError("the gradient of score is not y", example=index, got=got[index], expected=target[index])


@law(target=per_example(strategies.targets), other=per_example(strategies.targets))
def hamming_counts_the_parts_that_differ(space: StructuredSpace, target: Tensor, other: Tensor) -> None:
    """hamming(target)(y) is the number of parts in which y differs from the target, and 0 at the target."""
    loss = space.hamming(target)
    differing = (target != other).flatten(1).sum(1).double()
    _expect_equal(loss(other).double(), differing, "hamming is not the number of parts that differ")
    _expect_equal(loss(target).double(), torch.zeros_like(differing), "hamming of the target is not 0")


@law(target=per_example(strategies.targets))
def hamming_refuses_targets_outside(space: StructuredSpace, target: Tensor) -> None:
    """A target that is not in the space is refused by an ArgumentError."""
    target = target.clone()
    target[-1] = 2
    try:
        loss = space.hamming(target)
    except ArgumentError:
        return
    raise ViolationError("a target outside the space is not refused", got=loss, expected="ArgumentError")


@law(loss=strategies.losses, target=strategies.targets)
def linear_loss_is_its_definition(space: StructuredSpace, loss: LinearLoss, target: Tensor) -> None:
    """loss(y) = constant + sum of coefficients times y, for each example."""
    parts = (loss.coefficients.double() * target).flatten(1).sum(1)
    _expect_equal(loss(target).double(), loss.constant + parts, "the loss differs from constant + <coefficients, y>")


def _expect_equal(got: Tensor, expected: Tensor, message: str) -> None:
    for index in first(~torch.isclose(got, expected, rtol=1e-9, atol=1e-9)):
        raise ViolationError(message, example=index, got=got[index].item(), expected=expected[index].item())
