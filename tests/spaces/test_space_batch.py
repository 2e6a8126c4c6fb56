"""A batch of different spaces: the laws and the loop over the spaces, padding, mini-batches, and errors."""

import copy
import re
import threading

import attrs
import networkx
import numpy as np
import pytest
import torch
from scipy.optimize import LinearConstraint

import structpred as sp
from structpred._threads import threads_for_all
from structpred.spaces._joint import in_turns
from structpred.testing import parametrize_with_checks
from tests.spaces.costly import COSTLY, QUICK

GRIDS = [sp.DagPath.grid(2, 3), sp.DagPath.grid(3, 3), sp.DagPath.grid(2, 2)]
MATCHINGS = [sp.Matching(3), sp.Matching(2, 3), sp.Matching(3)]
KINDS = [sp.OneHot(3), sp.KSubset(4, 2), sp.DagPath.grid(2, 2), sp.Knapsack([3, 4], 5), sp.OneHot(2)]
BATCHES = [
    GRIDS,
    [sp.Chain(3, 2), sp.Chain(2, 3)],
    [sp.SpanningTree(networkx.complete_graph(nodes)) for nodes in (2, 4, 3)],
    [sp.KSubset(3, [2]), sp.KSubset(2, [1, 2])],
    MATCHINGS,
    KINDS,
    [sp.Arborescence(3, single_root=True), sp.Arborescence(1), sp.Arborescence(2)],
    [sp.DagPath(networkx.DiGraph(["ab", "bc", "ac", "xb", "cd"]), "a", "c"), GRIDS[0]],
    [sp.Chain(9, 2), sp.Chain(2, 5), sp.Chain(4, 1)],
    [sp.KSubset(3, 1), sp.KSubset(2, 1), sp.KSubset(4, 3)],
    [sp.OneHot(3), sp.OneHot(2)],
    [sp.Chain(3, 2)] * 2,
    [sp.KSubset(5, 2)],
]
PROGRAM = sp.IntegerProgram(3, LinearConstraint([[3.0, 4.0, 5.0]], ub=8.0))


@parametrize_with_checks(map(sp.SpaceBatch, BATCHES[:7]), only=QUICK, max_examples=3, max_seconds=0.05)
def test_laws(space, law):
    law(space)


@parametrize_with_checks([sp.SpaceBatch(GRIDS), sp.SpaceBatch(KINDS)], only=COSTLY, max_seconds=0.05)
def test_costly_laws(space, law):
    law(space)


@pytest.mark.slow
@parametrize_with_checks(map(sp.SpaceBatch, BATCHES), seed=1)
def test_laws_as_a_user_checks_them(space, law):
    law(space)


@parametrize_with_checks(
    [sp.SpaceBatch([PROGRAM, PROGRAM.with_sides(ub=4.0)])], tolerance=1e-9, max_examples=4, max_seconds=0.1
)
def test_laws_of_programs(space, law):
    law(space)


def solved_in_a_loop(spaces, scores):
    return spaces.pad([space.argmax(own) for space, own in zip(spaces, spaces.unpad(scores), strict=True)])


def test_two_hundred_grids_are_solved_as_in_the_loop():
    spaces = sp.SpaceBatch(sp.DagPath.grid(rows, cols) for rows in range(2, 16) for cols in range(2, 16))
    scores = torch.randn(len(spaces), *spaces.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(spaces.argmax(scores), solved_in_a_loop(spaces, scores))


@attrs.frozen
class Recording(sp.StructuredSpace):
    """The best of n parts, which notes the threads and the sizes of the calls that solved it."""

    n: int
    calls: list = attrs.field(factory=list, eq=False)

    @property
    def shape(self):
        return (self.n,)

    def _argmax(self, scores):
        self.calls.append((threading.current_thread(), len(scores)))
        return torch.nn.functional.one_hot(scores.argmax(-1), self.n)

    def contains(self, y):
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) == 1)


def test_equal_spaces_are_solved_together_and_the_rest_in_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        calls = []
        spaces = sp.SpaceBatch(Recording(n, calls) for n in (2, 3) * 8)
        scores = torch.randn(5, 16, 3, generator=torch.Generator().manual_seed(0))
        spaces.argmax(scores)
        assert sum(size for _, size in calls) == 80
        assert len(calls) < 40  # and not one for each example
        with threads_for_all():
            y = spaces.argmax(scores)
        assert len({thread for thread, _ in calls} - {threading.current_thread()}) >= 1
        one_by_one = [solved_in_a_loop(spaces, some) for some in scores]
        assert torch.equal(y, torch.stack(one_by_one))
    finally:
        torch.set_num_threads(before)


@attrs.frozen
class Slow(Recording):
    """Runs out of time, with an answer if so told."""

    placement = sp.SolverPlacement.ON_CPU
    answers: bool = True

    def _argmax(self, scores):
        y = super()._argmax(scores)
        if self.n < 3:
            return y
        raise sp.OutOfTimeError([len(scores) - 1], y if self.answers else None)


def test_a_time_limit_names_its_examples():
    spaces = sp.SpaceBatch([Slow(2), Slow(3), sp.OneHot(4), Slow(4)])
    scores = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    with pytest.warns(sp.SolverTimeoutWarning, match=re.escape("in examples (1, 1), (1, 3);")):
        y = spaces.argmax(scores)
    assert spaces.contains(y).all()
    with pytest.raises(sp.SolverTimeoutError) as raised:
        sp.SpaceBatch([Slow(2), Slow(3, answers=False)]).argmax(torch.zeros(2, 3))
    assert raised.value.examples == [(1,)]


def test_a_program_has_sides_of_its_own_in_each_example():
    capacities = torch.tensor([3.0, 7.0, 9.0, 12.0])
    spaces = sp.SpaceBatch(PROGRAM.with_sides(ub=capacity) for capacity in capacities)
    y = spaces.argmax(torch.tensor([1.0, 2.0, 2.5]).expand(4, 3))
    assert y.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1]]
    with pytest.raises(sp.ArgumentError, match=r"lb: expected one number or 1, one a row, got 2"):
        PROGRAM.with_sides(lb=[1.0, 2.0])
    with pytest.raises(sp.ArgumentError, match=r"lb and ub: expected lower bounds that are not above the upper"):
        PROGRAM.with_sides(lb=9.0)
    with pytest.raises(sp.ArgumentError, match=r"constraints: expected some tensor to keep them all"):
        PROGRAM.with_sides(lb=13.0, ub=20.0)
    assert PROGRAM.with_sides() == PROGRAM
    assert PROGRAM.with_sides(ub=np.inf) != PROGRAM


# --- padding


def test_lists_are_padded_and_unpadded():
    spaces = sp.SpaceBatch([sp.Matching(2), sp.Matching(1, 3)])
    scores = [torch.ones(4, 2, 2, requires_grad=True), torch.ones(4, 1, 3, requires_grad=True)]
    padded = spaces.pad(scores)
    assert padded.shape == (4, 2, 2, 3)
    assert padded[0].tolist() == [[[1, 1, 0], [1, 1, 0]], [[1, 1, 1], [0, 0, 0]]]
    assert all(map(torch.equal, spaces.unpad(padded), scores))
    padded.sum().backward()
    assert all(its.grad.eq(1).all() for its in scores)


def test_what_lies_in_the_padding_does_not_matter():
    spaces = sp.SpaceBatch(GRIDS)
    padding = spaces.pad([torch.ones(space.shape) for space in spaces]) == 0
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, *spaces.shape, generator=generator)
    costs = torch.rand(3, *spaces.shape, generator=generator)
    best = spaces.argmax(-costs)
    results = []
    for junk, size in ((0.0, 1.0), (torch.nan, -5.0), (torch.inf, torch.nan)):
        given = scores.masked_fill(padding, junk).requires_grad_()
        scale = torch.ones(3, *spaces.shape).masked_fill(padding, size).requires_grad_()
        loss = spaces.regret(costs.masked_fill(padding, junk), best)
        objective = sp.PerturbedDirectLoss(spaces, num_samples=4)
        solution = objective.solve(given, loss, scale=scale, generator=torch.Generator().manual_seed(1))
        solution.loss.sum().backward()
        assert solution.prediction[:, padding].eq(0).all()
        assert given.grad[padding].eq(0).all()
        assert scale.grad[padding].eq(0).all()
        results.append((solution.loss, solution.epsilon, given.grad, scale.grad, spaces.score(given, best)))
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))


def test_hamming_counts_nothing_in_the_padding():
    spaces = sp.SpaceBatch(GRIDS)
    target = spaces.argmax(torch.zeros(3, *spaces.shape))
    loss = spaces.hamming(target)
    assert [part.eq(0).any().item() for part in spaces.unpad(loss.coefficients)] == [False] * 3
    assert loss.coefficients.ne(0).sum() == sum(space.shape[0] for space in spaces)


@attrs.frozen
class Doubled(sp.StructuredSpace):
    """Any parts out of n pairs, each of which shares a variable; of a class that has no joint solver."""

    n: int

    @property
    def shape(self):
        return (2 * self.n,)

    @property
    def noise_shape(self):
        return (self.n,)

    def spread(self, noise):
        return noise.repeat_interleave(2, dim=-1)

    def _argmax(self, scores):
        return scores > 0

    def contains(self, y):
        return ((y == 0) | (y == 1)).all(-1)


@pytest.mark.parametrize(
    "batch",
    [[sp.Chain(3, 2), sp.Chain(2, 3)], [Doubled(1), Doubled(3), Doubled(1)], [sp.OneHot(3), Doubled(2), sp.OneHot(1)]],
    ids=["Chain", "Doubled", "both kinds"],
)
def test_noise_is_spread_within_each_example(batch):
    spaces = sp.SpaceBatch(batch)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(spaces), *spaces.noise_shape, generator=generator)
    own = [noise[:, place][..., *map(slice, space.noise_shape)] for place, space in enumerate(batch)]
    expected = spaces.pad([space.spread(each) for space, each in zip(batch, own, strict=True)])  # 0 in the padding
    assert torch.equal(spaces.spread(noise), expected)


def test_examples_of_spaces_in_any_order_are_solved_in_turns():
    which = torch.tensor([2, 0, 0, 1, 2, 0])
    scores = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))

    def solve(laid):  # (turns, spaces, *shape)
        assert laid.shape == (3, 3, 4)
        return laid * torch.arange(1, 4)[:, None]

    assert torch.equal(in_turns(solve, scores, which, spaces=3), scores * (which + 1)[:, None])


# --- as a space in objectives and layers


@pytest.mark.parametrize(
    "make",
    [
        lambda space: sp.Blackbox(space),
        lambda space: sp.ImplicitMLE(space, num_samples=2),
        lambda space: sp.Identity(space, projection=sp.Projection.STD),
        lambda space: sp.PerturbedArgmax(space),
    ],
)
@pytest.mark.parametrize("members", [GRIDS, MATCHINGS, KINDS], ids=["grids", "matchings", "kinds"])
def test_layers_take_it(make, members):
    spaces = sp.SpaceBatch(members)
    layer = make(spaces)
    scores = torch.randn(len(spaces), *spaces.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    y = layer(scores, generator=torch.Generator().manual_seed(1))
    (y * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    padding = spaces.without_padding(torch.zeros_like(scores)).isneginf()
    assert y[..., padding].eq(0).all()
    assert scores.grad.isfinite().all()
    assert scores.grad[padding].eq(0).all()
    assert scores.grad.ne(0).any()


@pytest.mark.parametrize("kind", [sp.StructuredHingeLoss, sp.SPOPlusLoss, sp.StructuredPerceptronLoss])
def test_potentials_take_it(kind):
    spaces = sp.SpaceBatch(GRIDS)
    scores = torch.randn(3, *spaces.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    costs = spaces.pad([torch.rand(space.shape, generator=torch.Generator().manual_seed(1)) for space in spaces])
    got = kind(spaces, reduction="none")(scores, spaces.regret(costs.double()))
    looped = [
        kind(space)(own[None], space.regret(its[None]))
        for space, own, its in zip(spaces, spaces.unpad(scores), spaces.unpad(costs.double()), strict=True)
    ]
    assert torch.allclose(got, torch.stack(looped))


def test_noise_shared_by_parts_is_refused_where_parts_need_their_own():
    with pytest.raises(sp.ArgumentError, match="a space whose every part has a noise variable of its own"):
        sp.ScoreFunctionLoss(sp.SpaceBatch([sp.Chain(3, 2), sp.Chain(2, 2)]))


def test_a_step_that_grows_solves_some_examples_again():
    spaces = sp.SpaceBatch(GRIDS)
    target = spaces.argmax(torch.randn(2, 3, *spaces.shape, generator=torch.Generator().manual_seed(0)))
    grow = sp.GrowUntilNonzero(-1e-3, factor=4.0, limit=1e5, group_dims=2)  # each example by itself
    objective = sp.PerturbedDirectLoss(spaces, epsilon=grow, noise=None)
    scores = torch.randn(2, 3, *spaces.shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
    solution = objective.solve(scores, spaces.hamming(target))
    assert len(solution.epsilon.unique()) > 1
    for index in np.ndindex(2, 3):
        space, own = spaces[index[1]], slice(spaces[index[1]].shape[0])
        alone = sp.PerturbedDirectLoss(space, epsilon=attrs.evolve(grow, group_dims=1), noise=None).solve(
            scores[index][None, own], space.hamming(target[index][None, own])
        )
        assert torch.equal(alone.epsilon[0], solution.epsilon[index])
        assert torch.equal(alone.gradient[0, 0], solution.gradient[0][index][own])


def test_a_mini_batch_is_an_index():
    spaces = sp.SpaceBatch(GRIDS)
    assert list(spaces) == GRIDS
    assert spaces[1] is GRIDS[1]
    assert spaces[-1] is GRIDS[2]
    assert spaces[torch.tensor(1)] is GRIDS[1]
    for rows in ([2, 0], torch.tensor([2, 0]), np.array([2, 0])):
        assert spaces[rows] == sp.SpaceBatch([GRIDS[2], GRIDS[0]])
    assert spaces[:2] == sp.SpaceBatch(GRIDS[:2])
    assert spaces[torch.tensor([True, False, True])] == sp.SpaceBatch([GRIDS[0], GRIDS[2]])
    assert spaces[[0, 2]].shape == (7,)
    objective = sp.PerturbedDirectLoss(spaces)
    objective.space = spaces[[0, 2]]
    scores = torch.zeros(2, 7)
    assert objective(scores, objective.space.hamming(objective.space.argmax(scores))).isfinite()


def test_an_empty_batch_of_batches():
    spaces = sp.SpaceBatch(GRIDS)
    assert spaces.argmax(torch.zeros(0, 3, 12)).shape == (0, 3, 12)
    assert copy.deepcopy(spaces).argmax(torch.zeros(3, 12)).shape == (3, 12)


# --- errors


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ([], "spaces: expected at least one space, got none; write for example SpaceBatch([Matching(3), Matching(4)])"),
        (sp.OneHot(3), "spaces: expected a sequence of spaces, got OneHot(n=3) (OneHot)"),
        (3, "spaces: expected a sequence of spaces, got 3 (int)"),
        ([sp.OneHot(3), 4], "spaces[1]: expected a StructuredSpace of single examples, got 4 (int)"),
        ([sp.SpaceBatch(GRIDS)], "spaces[0]: expected a StructuredSpace of single examples, got SpaceBatch("),
        (
            [sp.OneHot(3), sp.Matching(2)],
            "spaces: expected a shape of as many dimensions for each, got (3,) for OneHot(n=3), and (2, 2) for "
            "Matching(rows=2, cols=2); make two batches",
        ),
        (
            [sp.Chain(3, 2), sp.IntegerProgram((2, 2, 2))],
            "spaces: expected a noise_shape of as many dimensions for each, got (3, 2) for Chain(length=3, labels=2)",
        ),
    ],
)
def test_what_makes_no_batch_is_refused(spaces, message):
    with pytest.raises(sp.ArgumentError, match="^" + re.escape(message)):
        sp.SpaceBatch(spaces)


@pytest.mark.parametrize("shape", [(12,), (2, 12), (4, 12), (3, 11), (3, 13), (3, 1, 12)])
def test_scores_of_the_wrong_padding_are_refused(shape):
    spaces = sp.SpaceBatch(GRIDS)
    for call in (spaces.argmax, spaces.contains, spaces.regret, spaces.unpad, sp.Blackbox(spaces)):
        with pytest.raises(
            sp.ArgumentError, match=r": expected a tensor of shape \(\*batch, (3, )?12\) for SpaceBatch"
        ):
            call(torch.zeros(shape))


def test_lists_that_do_not_fit_are_refused():
    spaces = sp.SpaceBatch(GRIDS)
    fitting = [torch.zeros(space.shape) for space in spaces]
    with pytest.raises(sp.ArgumentError, match=r"^tensors: expected 3 tensors, one for each space, got 2"):
        spaces.pad(fitting[:2])
    with pytest.raises(sp.ArgumentError, match=r"^tensors\[1\]: expected a tensor of shape \(\*batch, 12\)"):
        spaces.pad([fitting[0], fitting[0], fitting[2]])
    with pytest.raises(sp.ArgumentError, match=r"^tensors: expected the same batch dim.* got \(1,\) and \(\)"):
        spaces.pad([fitting[0][None], *fitting[1:]])
    with pytest.raises(sp.ArgumentError, match=r"^tensors\[0\]: expected a torch tensor"):
        spaces.pad([[0.0], *fitting[1:]])


def test_targets_with_ones_in_the_padding_are_refused():
    spaces = sp.SpaceBatch(GRIDS)
    target = spaces.argmax(torch.zeros(3, 12))
    target[2, 11] = 1
    with pytest.raises(sp.ArgumentError, match=r"^target: expected structures of SpaceBatch.*got others in example 2"):
        spaces.hamming(target)


def test_subsets_of_several_rows_are_told_apart():
    spaces = sp.SpaceBatch([sp.KSubset(3, (1, 2)), sp.KSubset(3, (2, 1)), sp.KSubset(3, (1, 1))])
    y = spaces.argmax(torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(0)))
    assert spaces.contains(y).tolist() == [True, True, True]
    y[1, 0] = 1
    assert spaces.contains(y).tolist() == [True, False, True]


def test_fractional_targets_of_a_relaxation_are_refused():
    relaxed = sp.IntegerProgram(2, LinearConstraint([[1.0, 1.0]], 1, 1), integrality=0)
    spaces = sp.SpaceBatch([relaxed, relaxed])
    with pytest.raises(sp.ArgumentError, match=r"^target: expected zeros and ones"):
        spaces.hamming(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))


def test_noise_in_the_padding_is_taken_away_where_variables_are_parts():
    spaces = sp.SpaceBatch([sp.KSubset(3, 1), sp.KSubset(2, 1)])
    assert torch.equal(spaces.spread(torch.full((2, 3), 5.0)), torch.tensor([[5.0, 5.0, 5.0], [5.0, 5.0, 0.0]]))
