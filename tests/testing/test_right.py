"""No false alarms: spaces that are right in an unusual way pass, at the default effort but for the number of inputs."""

import datetime
import functools
import itertools
import random
import threading
import time
from typing import ClassVar, NamedTuple

import attrs
import pytest
import torch

import structpred as sp
from structpred.testing import DIRECT_LAWS, SPACE_LAWS, LawError, check_layer, check_objective, check_space
from structpred.testing.oracles import threads
from structpred.testing.space_laws.calls import _met, threads_do_not_matter
from tests.testing.pairs import FromAList, Pairs


@attrs.frozen
class Slow(Pairs):
    def _argmax(self, scores):
        time.sleep(2e-3)
        return super()._argmax(scores)


@attrs.frozen
class RandomTies(Pairs):
    """Of structures that are as good, another one every time, by Python's generator."""

    def _argmax(self, scores):
        order = torch.tensor(random.sample(range(self.n), self.n))
        return super()._argmax(scores[:, order])[:, order.argsort()]


@attrs.frozen
class HalfInside(Pairs):
    """Zeros and ones are float16 until the base class makes them what the scores are."""

    def _argmax(self, scores):
        return super()._argmax(scores).half()


@attrs.frozen
class Tolerant(Pairs):
    """Differences below 1e-9 of the largest score are ties, as to a solver of linear programs."""

    def _argmax(self, scores):
        largest = scores.where(scores.isfinite(), 0).abs().amax(-1, keepdim=True).clamp(min=1e-300)
        return super()._argmax((scores / largest * 1e9).round())


@attrs.frozen
class Caching(Pairs):
    """Computes once what depends on its fields."""

    _kept: dict = attrs.field(factory=dict, eq=False, repr=False, init=False)

    def _argmax(self, scores):
        every = self._kept.setdefault("every", self.enumerate().double())
        return every[torch.where(every > 0, scores[:, None], 0).sum(-1).argmax(-1)]


@attrs.frozen
class Named(Pairs):
    """Without structures where its fields do not fit, which nothing asks for."""

    names: tuple[str, ...]

    @property
    def shape(self):
        return (len(self.names),)

    def contains(self, y):
        return super().contains(y) & (self.n == len(self.names))

    def enumerate(self):
        every = Pairs(len(self.names)).enumerate()
        return every[self.contains(every)]


@attrs.frozen
class Locked(Pairs):
    """Threads share a scratch, one after the other."""

    _scratch: torch.Tensor = attrs.field(init=False, eq=False, repr=False)
    _lock: ClassVar = threading.Lock()

    @_scratch.default
    def _make(self):
        return torch.empty(70_000, self.n, dtype=torch.float64)

    def _argmax(self, scores):
        with self._lock:
            own = self._scratch[: len(scores)]
            own.copy_(scores)
            return super()._argmax(own)


@attrs.frozen
class WithASet(Pairs):
    """A copy of the set, and one that was pickled, have another order."""

    sizes: frozenset[int]


class CachedProperty(sp.StructuredSpace):
    """No attrs class: what it computes once lies among its attributes, and is left out of pickles."""

    def __init__(self, n):
        self.n = n

    def __eq__(self, other):
        return type(other) is type(self) and other.n == self.n

    def __hash__(self):
        return hash(self.n)

    def __repr__(self):
        return f"CachedProperty({self.n})"

    def __reduce__(self):
        return CachedProperty, (self.n,)

    @property
    def shape(self):
        return (self.n,)

    @functools.cached_property
    def every(self):
        return Pairs(self.n).enumerate().double()

    def enumerate(self):
        return self.every.clone()

    def contains(self, y):
        return Pairs(self.n).contains(y)

    def _argmax(self, scores):
        return self.every[torch.where(self.every > 0, scores[:, None], 0).sum(-1).argmax(-1)]


@attrs.frozen
class RemembersAHundred(Pairs):
    """The answers last computed, each a part of a larger tensor."""

    _answers: dict = attrs.field(factory=dict, eq=False, repr=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, eq=False, repr=False, init=False)

    def __reduce__(self):
        return RemembersAHundred, (self.n,)

    def __deepcopy__(self, memo):
        return RemembersAHundred(self.n)

    def _argmax(self, scores):
        found = []
        with self._lock:
            for example in scores:
                key = example.numpy().tobytes()
                if key not in self._answers:
                    if len(self._answers) >= 100:
                        self._answers.pop(next(iter(self._answers)))
                    self._answers[key] = super()._argmax(example[None])[0]
                found.append(self._answers[key])
        return torch.stack(found)


@pytest.mark.parametrize(
    ("space", "tolerance"),
    [
        *((Slow(4), 0.0), (RandomTies(5), 0.0), (HalfInside(5), 0.0), (Tolerant(5), 1e-8), (Caching(5), 0.0)),
        *((CachedProperty(4), 0.0), (RemembersAHundred(5), 0.0), (Named(4, tuple("abcd")), 0.0)),
        (WithASet(4, frozenset({0, 3, 10, 13, 20})), 0.0),
    ],
    ids=lambda it: type(it).__name__,
)
@pytest.mark.parametrize("examples", [3, pytest.param(None, marks=pytest.mark.slow)])
def test_a_space_that_is_right_in_its_own_way_passes(space, tolerance, examples):
    seconds = 0.1 if examples else None
    assert check_space(space, tolerance=tolerance, max_examples=examples, max_seconds=seconds).passed


def test_a_lock_keeps_threads_apart_that_meet():
    scores = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    threads_do_not_matter(Locked(5), scores=scores)


def test_a_thread_that_fails_where_it_meets_another_is_told():
    @attrs.frozen
    class FailsBeside(Pairs):
        inside: ClassVar[list[int]] = []

        def _argmax(self, scores):
            if self.inside:
                raise ZeroDivisionError("two at once")
            self.inside.append(1)
            y = super()._argmax(scores)
            self.inside.pop()
            return y

    scores = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with threads(1), pytest.raises(ZeroDivisionError, match="two at once"):
        _ = list(_met(FailsBeside(5), scores, scores))


@pytest.mark.parametrize("policy", [sp.RelativeToNoise(group_dims=1), sp.GrowUntilNonzero(-1.0, group_dims=1)])
def test_a_step_that_takes_groups_of_examples_apart_passes(policy):
    law = "steps_do_not_depend_on_circumstances"
    report = check_objective(sp.PerturbedDirectLoss(sp.KSubset(4, 2), epsilon=policy, scale=1.0), only=[law])
    assert report.passed
    assert not report.skipped
    two = attrs.evolve(policy, group_dims=2)
    assert check_objective(sp.PerturbedDirectLoss(sp.KSubset(4, 2), epsilon=two, scale=1.0), only=[law]).skipped


@pytest.mark.parametrize(
    ("check", "module"),
    [
        (check_objective, sp.PerturbedDirectLoss(RandomTies(4))),
        (check_objective, sp.PerturbedFenchelYoungLoss(RandomTies(4))),
        (check_layer, sp.ImplicitMLE(RandomTies(4))),
    ],
    ids=lambda it: type(it).__name__,
)
@pytest.mark.parametrize("examples", [2, pytest.param(None, marks=pytest.mark.slow)])
def test_what_is_over_a_space_with_random_ties_passes(check, module, examples):
    assert check(module, max_examples=examples, max_seconds=0.1 if examples else None, draws=2_000).passed


class ForNoiseAlone:
    """A direct loss in a few lines, which is no module, and has no step without noise."""

    def __init__(self, space):
        self.space, self.noise, self.num_samples, self.epsilon = space, sp.Gumbel(), 1, sp.FixedEpsilon(-1.0)

    def __repr__(self):
        return f"ForNoiseAlone({self.space!r})"

    def __call__(self, scores, loss, *, scale=1.0, generator=None):
        dims, step = len(self.space.shape), getattr(self.epsilon, "value", self.epsilon)
        batch = scores.shape[: scores.ndim - dims]
        shape = (self.num_samples, *batch, *self.space.noise_shape)
        perturbed = scores + self.space.spread(
            scale * self.noise.sample(shape, dtype=scores.dtype, generator=generator)
        )
        y = self.space.argmax(perturbed)
        difference = (self.space.argmax(perturbed + step * loss.coefficients) - y) / step
        along = (perturbed.masked_fill(scores.isneginf(), 0) * difference).flatten(-dims).sum(-1)
        return (loss(y) + along - along.detach()).mean()


def test_an_objective_for_noise_alone_is_not_held_against_the_law_without():
    law = "without_noise_it_is_the_classical_gradient"
    for only, skipped in ((law, {law}), ("gradient_for_scores_equals_finite_differences", set())):
        report = check_objective(ForNoiseAlone(sp.KSubset(4, 2)), laws=DIRECT_LAWS, only=[only])
        assert report.passed
        assert set(report.skipped) == skipped


def test_a_score_that_a_solver_may_overlook_is_within_the_tolerance_of_the_law():
    scores = torch.tensor([[1e-271, 0.0, 1.0, 1.0]], dtype=torch.float64)

    class Overlooks(Pairs):
        def _argmax(self, scores):
            return super()._argmax(torch.where(scores.abs() < 1e-200, 0.0, scores).flip(-1)).flip(-1)

    (law,) = (law for law in SPACE_LAWS if law.name == "no_structure_scores_higher")
    law(Overlooks(4), scores=scores)


class Booking(NamedTuple):
    first: datetime.date
    last: datetime.date


@attrs.frozen
class Bookings(FromAList):
    """Sets of bookings of which no two share a day."""

    bookings: tuple[Booking, ...]

    @property
    def shape(self):
        return (len(self.bookings),)

    def enumerate(self):
        pairs = list(itertools.combinations(enumerate(self.bookings), 2))
        apart = [(i, j) for (i, a), (j, b) in pairs if a.first <= b.last and b.first <= a.last]
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * len(self.bookings))
        return every[[not any(y[i] and y[j] for i, j in apart) for y in every]]


class Node:
    def __init__(self, name):
        self.name, self.next, self.before = name, [], []


def linked(names, links):
    nodes = {name: Node(name) for name in names}
    for tail, head in links:
        nodes[tail].next.append(nodes[head])
        nodes[head].before.append(nodes[tail])
    return TwoLinks(list(nodes.values()))


class TwoLinks(FromAList):
    """Two of the links between nodes that hold one another."""

    def __init__(self, nodes):
        self.nodes = nodes

    @property
    def shape(self):
        return (len(self.key()[1]),)

    def enumerate(self):
        return Pairs(*self.shape).enumerate()[: sum(len(node.next) for node in self.nodes[0].next) + 3]

    def key(self):
        links = tuple((tail.name, head.name) for tail in self.nodes for head in tail.next)
        return tuple(node.name for node in self.nodes), links

    def __eq__(self, other):
        return type(self) is type(other) and self.key() == other.key()

    def __hash__(self):
        return hash(self.key())

    def __reduce__(self):
        return linked, self.key()

    def __repr__(self):
        return f"TwoLinks({self.key()})"


DAYS = [datetime.date(2026, 1, day) for day in (1, 5, 4, 8, 6, 6, 9, 9)]


@pytest.mark.parametrize("law", ["equality_sees_every_field", "spaces_of_a_class_are_apart", "pickles", "reads_well"])
@pytest.mark.parametrize(
    "space",
    [
        Bookings(tuple(map(Booking, DAYS[::2], DAYS[1::2]))),
        linked("abcd", [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "a")]),
    ],
    ids=lambda it: type(it).__name__,
)
def test_fields_that_hold_dates_or_one_another_are_varied_as_far_as_they_fit(space, law):
    assert check_space(space, only=[law]).passed


def test_a_failure_of_a_space_whose_fields_hold_one_another_is_shown():
    class Never(TwoLinks):
        def contains(self, y):
            return super().contains(y) & False

    with pytest.raises(LawError, match="breaks the law answers_are_structures"):
        check_space(Never(linked("abc", ["ab", "bc", "ca"]).nodes), only=["answers_are_structures"])


class WithAParameter(torch.nn.Module):
    """A direct loss that is a plain module, whose scale is a parameter: torch refuses a number in its place."""

    def __init__(self, space):
        super().__init__()
        self.space, self.noise, self.num_samples, self.epsilon = space, sp.Gumbel(), 1, -1.0
        self.scale = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, scores, loss, *, scale=None, generator=None):
        noise = self.noise if self.training else None
        own = sp.PerturbedDirectLoss(self.space, noise=noise, epsilon=self.epsilon, num_samples=self.num_samples)
        scale = self.scale.to(scores.dtype) if scale is None else scale
        return own(scores, loss, scale=scale if noise else None, generator=generator)


def test_a_module_with_a_parameter_is_not_given_a_number_in_its_place():
    only = ["direct_calls_follow_their_definition"]
    assert check_objective(WithAParameter(sp.KSubset(4, 2)), laws=DIRECT_LAWS, only=only).passed
