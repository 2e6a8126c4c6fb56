"""What holds of a batch of different spaces beside the laws of a space: it equals the loop over them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence

import attrs
import torch
from attrs import field, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from structpred._tensors import corner
from structpred.epsilon import Epsilon, FixedEpsilon, RelativeToNoise, RelativeToScores
from structpred.errors import InfeasibleError
from structpred.noise import Noise
from structpred.objectives.base import Objective
from structpred.objectives.direct import PerturbedDirectLoss
from structpred.objectives.fenchel_young import PerturbedFenchelYoungLoss
from structpred.spaces.base import StructuredSpace
from structpred.testing import strategies
from structpred.testing._examples import per_example
from structpred.testing.all_examples import AllExamples
from structpred.testing.law import Law, ViolationError, law
from structpred.testing.oracles import expect_same_value, first

_ORDERS = 3


@frozen(eq=False)
class _Given(Noise):
    """Draws that are given."""

    draws: Tensor = field()

    def _fill(self, draws: Tensor, generator: torch.Generator | None) -> Tensor:
        return draws.copy_(self.draws)

    @property
    def variance(self) -> float:
        return 1.0


def _noise(space: AllExamples, *, batch: Sequence[int]) -> SearchStrategy[Tensor]:
    return strategies.directions((*batch, *space.noise_shape))


def _positive(space: AllExamples, *, batch: Sequence[int]) -> SearchStrategy[Tensor]:
    return _noise(space, batch=batch).map(lambda drawn: drawn.abs() + 0.1)


@law(scores=per_example(strategies.scores), examples=2)
def each_example_is_solved_in_its_own_space(space: AllExamples, scores: Tensor, *, tolerance: float = 0.0) -> None:
    """The answer to an example has the value that its own space's answer has."""
    expected = []
    for own, part in _parts(space, scores):
        expected.append(own.argmax(part.reshape(-1, *own.shape)).flatten(1))
    message = "an example has another value than in its own space"
    y = space.argmax(scores)
    expect_same_value(space, scores, y, torch.cat(expected, -1), tolerance, message)
    # As where epsilon has grown for some examples alone: some of them, and in any order.
    padded = space.padded(scores, -torch.inf)
    all_places = [(row, it) for row in range(len(scores)) for it in range(len(space.of_each))]
    for seed in range(_ORDERS):
        order = torch.randperm(len(all_places), generator=torch.Generator().manual_seed(seed)).tolist()
        places = [all_places[place] for place in order[: max(1, len(order) - seed % 2)]]
        rows, which = (torch.tensor(column) for column in zip(*places, strict=True))
        some = space.spaces.argmax_of_stack(padded[rows, which], functools.partial(_place, places))
        for (row, it), answer in zip(places, some, strict=True):
            own = space.of_each[it]
            part, mine = padded[row, it][corner(own.shape)], answer[corner(own.shape)]
            expect_same_value(own, part, mine, own.argmax(part), tolerance, f"of some examples, {(row, it)}: {message}")


@law(scores=per_example(strategies.scores, forbidden=False, contiguous=True), examples=2,
     hopeless=lambda space: st.integers(0, len(space.of_each) - 1))  # fmt: skip
def the_example_without_structures_is_named(space: AllExamples, scores: Tensor, hopeless: int) -> None:
    """Where one example has all its parts forbidden, the error names it, by its place among the spaces too."""
    own = space.of_each[hopeless]
    if own.contains(torch.zeros(own.shape)):
        return
    padded = space.padded(scores, 0)
    padded[-1, hopeless] = -torch.inf
    expected = [(len(scores) - 1, hopeless)]
    try:
        y = space.spaces.argmax(padded)
    except InfeasibleError as error:
        if error.examples != expected:
            raise ViolationError("other examples are named", got=error.examples, expected=expected) from None
        return
    raise ViolationError("an answer came", got=y[-1, hopeless], expected=f"InfeasibleError for {expected}")


@law(
    scores=per_example(strategies.scores, dtype=torch.float64, moderate=True, contiguous=True),
    epsilon=lambda space: st.sampled_from([FixedEpsilon(-2.0), RelativeToScores(-1.0), RelativeToNoise(-4.0)]),
    target=per_example(strategies.targets),
    noise=per_example(_noise),
    scale=per_example(_positive),
    examples=2,
)
def direct_gradients_equal_those_of_the_loop(
    space: AllExamples, scores: Tensor, target: Tensor, noise: Tensor, scale: Tensor, epsilon: Epsilon
) -> None:
    """Under the same noise, loss and gradients of PerturbedDirectLoss are those of a loop over the spaces."""

    def make(own: StructuredSpace, draws: Tensor) -> Objective:
        dims = draws.ndim - len(own.noise_shape) - 1  # of the batch: each example has its own range of coefficients
        step = attrs.evolve(epsilon, group_dims=dims) if isinstance(epsilon, RelativeToNoise) else epsilon
        return PerturbedDirectLoss(own, noise=_Given(draws), epsilon=step, reduction="none")

    _expect_the_loop(space, scores, target, noise, scale, make)


@law(
    scores=per_example(strategies.scores, dtype=torch.float64, moderate=True, contiguous=True, forbidden=False),
    target=per_example(strategies.targets),
    noise=per_example(_noise),
    scale=per_example(_positive),
    examples=2,
)
def fenchel_young_gradients_equal_those_of_the_loop(
    space: AllExamples, scores: Tensor, target: Tensor, noise: Tensor, scale: Tensor
) -> None:
    """Under the same noise, loss and gradients of PerturbedFenchelYoungLoss are those of a loop over the spaces."""

    def make(own: StructuredSpace, draws: Tensor) -> Objective:
        return PerturbedFenchelYoungLoss(own, noise=_Given(draws), reduction="none")

    _expect_the_loop(space, scores, target, noise, scale, make)


def _expect_the_loop(
    space: AllExamples,
    scores: Tensor,
    target: Tensor,
    noise: Tensor,
    scale: Tensor,
    make: Callable[[StructuredSpace, Tensor], Objective],
) -> None:
    scores, scale = scores.clone().requires_grad_(), scale.clone().requires_grad_()
    draws = space.padded(noise, 0, noise=True)[None]
    loss = make(space.spaces, draws)(
        space.padded(scores), space.spaces.hamming(space.padded(target, 0)), scale=space.padded(scale, noise=True)
    )  # (n, examples)
    expected = []
    for (own, part), (_, ours), (_, its_draws), (_, its_scale) in zip(
        _parts(space, scores), _parts(space, target), _parts(space, noise, noise=True),
        _parts(space, scale, noise=True), strict=True,
    ):  # fmt: skip
        objective = make(own, its_draws.reshape(1, -1, *own.noise_shape))
        one, its_target = (values.reshape(-1, *own.shape) for values in (part, ours))
        expected.append(objective(one, own.hamming(its_target), scale=its_scale.reshape(-1, *own.noise_shape)))
    looped = torch.stack(expected, -1)
    _expect_equal(loss.detach(), looped.detach(), "the loss differs from that of the loop")
    for name, variable in (("scores", scores), ("scale", scale)):
        got, wanted = (torch.autograd.grad(value.sum(), variable, retain_graph=True)[0] for value in (loss, looped))
        _expect_equal(got, wanted, f"the gradient for the {name} differs from that of the loop")


def _expect_equal(got: Tensor, expected: Tensor, message: str) -> None:
    for index in first(~torch.isclose(got, expected, rtol=1e-9, atol=1e-9)):
        raise ViolationError(message, example=index, got=got[index].item(), expected=expected[index].item())


def _place(places: Sequence[tuple[int, int]], index: tuple[int, ...]) -> tuple[int, int]:
    return places[index[0]]


def _parts(space: AllExamples, flat: Tensor, *, noise: bool = False) -> Iterator[tuple[StructuredSpace, Tensor]]:
    """Each space, with its own entries of ``(n, parts)``."""
    sizes = [math.prod(own.noise_shape if noise else own.shape) for own in space.of_each]
    return zip(space.of_each, flat.split(sizes, -1), strict=True)


BATCH_LAWS: tuple[Law, ...] = tuple(value for value in list(vars().values()) if isinstance(value, Law))
